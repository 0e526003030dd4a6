"""Point clouds and meshes, under the name that libraries import."""

from ...data_types._box3d import box3d as box3d
from ...data_types._object3d import Object3D as Object3D
