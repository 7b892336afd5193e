"""Registries: pull and push. Spec: distribution-spec"""
