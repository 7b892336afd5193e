/* The running program, written to a file as a program that starts with this one's memory. */
#ifndef STAVE_IMAGE_H
#define STAVE_IMAGE_H

/* Writes the program to `path`; its variables and its heap have the values that they have now, those of the C
 * library their first ones. Returns NULL, or what went wrong. */
const char *image_write(const char *path);

#endif
