"""Layers: tar streams read, unpacked and made. Spec: image-spec layer.md"""
