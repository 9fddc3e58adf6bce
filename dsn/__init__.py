"""The science: the dual-stream network, its losses, codec, skeletons and metric formulae; needs only torch and timm."""
