"""Adds gitreload to the services of `tutor local`, `tutor dev` and `tutor k8s`.

The image is Open edX's own with gitreload in a virtual environment beside it, so that imports run
natively there (`IMPORTER` "cms_import"), with the settings and mounts of `cms`. The hooks are those
of https://docs.tutor.edly.io/reference/api/hooks/catalog.html
"""

from __future__ import annotations

from pathlib import Path

from tutor import hooks

from tutorgitreload import __version__

HERE = Path(__file__).parent

# What Tutor saves into config.yml once; the others are looked up each time.
UNIQUE = {"GITRELOAD_WEBHOOK_SECRET": "{{ 40|random_string }}"}

DEFAULTS = {
    "GITRELOAD_VERSION": __version__,
    # What pip is to install; the folder of `tutor mounts add …/gitreload` goes before it.
    "GITRELOAD_PACKAGE": "gitreload=={{ GITRELOAD_VERSION }}",
    "GITRELOAD_DOCKER_IMAGE": "{{ DOCKER_REGISTRY }}openedx-gitreload:{{ GITRELOAD_VERSION }}",
    "GITRELOAD_DOCKER_IMAGE_DEV": "openedx-gitreload-dev:{{ GITRELOAD_VERSION }}",
    "GITRELOAD_HOST": "gitreload.{{ LMS_HOST }}",
    "GITRELOAD_PORT": 5000,
    "GITRELOAD_VOLUME_SIZE": "10Gi",
    # Further keys of gr.env.json, which go before those that the plugin sets.
    "GITRELOAD_SETTINGS": {},
}

BUILD = "plugins/gitreload/build/gitreload"
IMAGES = {
    "gitreload": ("{{ GITRELOAD_DOCKER_IMAGE }}", ()),
    "gitreload-dev": ("{{ GITRELOAD_DOCKER_IMAGE_DEV }}", ("--target=development",)),
}

hooks.Filters.CONFIG_UNIQUE.add_items(list(UNIQUE.items()))
hooks.Filters.CONFIG_DEFAULTS.add_items(list(DEFAULTS.items()))

hooks.Filters.ENV_TEMPLATE_ROOTS.add_item(str(HERE / "templates"))
hooks.Filters.ENV_TEMPLATE_TARGETS.add_item(("gitreload/build", "plugins"))
hooks.Filters.ENV_PATCHES.add_items(
    [(patch.name, patch.read_text()) for patch in sorted((HERE / "patches").iterdir())]
)

hooks.Filters.IMAGES_BUILD.add_items(
    [(name, BUILD, tag, arguments) for name, (tag, arguments) in IMAGES.items()]
)
hooks.Filters.IMAGES_PULL.add_item(("gitreload", "{{ GITRELOAD_DOCKER_IMAGE }}"))
hooks.Filters.IMAGES_PUSH.add_item(("gitreload", "{{ GITRELOAD_DOCKER_IMAGE }}"))


@hooks.Filters.IMAGES_BUILD_MOUNTS.add()
def _build_from_clone(mounts: list[tuple[str, str]], host_path: str) -> list[tuple[str, str]]:
    """A clone of gitreload that is mounted is what the images are built of."""
    if Path(host_path).name == "gitreload":
        mounts += [(name, "gitreload-src") for name in IMAGES]
    return mounts


@hooks.Filters.IMAGES_BUILD_REQUIRED.add()
def _build_on_launch(names: list[str], context: str) -> list[str]:
    """`tutor dev launch` and `tutor local launch` build the image that they need."""
    return [*names, "gitreload-dev" if context == "dev" else "gitreload"]


@hooks.Filters.APP_PUBLIC_HOSTS.add()
def _public_host(hosts: list[str], context: str) -> list[str]:
    """What `tutor … launch` names as a place to go to."""
    return [*hosts, "{{ GITRELOAD_HOST }}" + (":{{ GITRELOAD_PORT }}" if context == "dev" else "")]
