"""Layers of images, under the names that libraries import."""
