"""JupyterLab for a learner's folder: on this machine only, and with settings of its own.

Everything JupyterLab writes down (settings, open tabs, history) goes below
`.minitransformer/jupyter` in the learner's folder, so that the settings a person already
has for Jupyter are neither used nor changed.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from minitransformer.course.workbook import replace_whole, start_page

HOME = ".minitransformer/jupyter"
_FIRST_SETTINGS = {
    "@jupyterlab/apputils-extension/notification": (
        b'{"fetchNews": "false", "checkForUpdates": false}\n'
    ),
    # explorers and loss curves are still there when a notebook is opened again
    "@jupyter-widgets/jupyterlab-manager/plugin": b'{"saveState": true}\n',
}


def command(folder: Path, *, browser: bool) -> list[str]:
    """Compose the command that opens JupyterLab on the start page of a folder.

    Parameters
    ----------
    folder : Path
        The learner's folder.
    browser : bool
        Whether to open a browser, rather than only print the address.

    Returns
    -------
    list of str
        The program and its arguments.
    """
    options = [
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url=/lab/tree/{start_page(folder)}",
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LanguageServerManager.autodetect=False",  # it would start npm
        "--log-level=ERROR",  # the address is printed all the same
        "--LabApp.log_level=ERROR",
    ]
    if not browser:
        options.append("--no-browser")
    if os.name == "posix" and os.geteuid() == 0:  # as in a container
        options.append("--allow-root")
    # -P: a file of the learner's that is called like a module of Jupyter's is not one
    return [sys.executable, "-P", "-m", "jupyterlab", *options]


def environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Give the environment for `command`: Jupyter's own files stay in the folder.

    Parameters
    ----------
    folder : Path
        The learner's folder.
    given : mapping of str to str
        The environment to start from.

    Returns
    -------
    dict of str to str
        The environment, with Jupyter's places in it.
    """
    home = folder / HOME
    return {
        **given,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this very Python
        "IPYTHONDIR": str(home / "ipython"),
    }


def prepare(folder: Path) -> None:
    """Ask no question about news and keep what widgets show, unless the learner chose."""
    for name, content in _FIRST_SETTINGS.items():
        path = folder / HOME / "settings" / f"{name}.jupyterlab-settings"
        if not path.exists():
            replace_whole(path, content)
