"""Convolutional networks from ONNX files as supernets: DESIGN's "elastic networks from off-the-shelf weights".

Torch-free but for the supernet itself: the space of a file can be profiled and searched without it.
"""
