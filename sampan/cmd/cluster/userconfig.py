"""Where the user's own kubeconfig is, and the context `sampan-NAME` in it.

`sudo sampan up` is run by root for somebody: the context belongs into that user's file, which must stay theirs.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sampan.cmd.cluster.plan import ClusterPlan
from sampan.cmd.cluster.shell import ClusterError


@dataclass(frozen=True, slots=True)
class User:
    home: Path
    uid: int
    gid: int


def invoking_user(environment: Mapping[str, str]) -> User:
    """Who typed the command: through sudo, not root."""
    name = environment.get("SUDO_USER", "")
    if os.geteuid() == 0 and name and name != "root":
        try:
            entry = pwd.getpwnam(name)
            return User(Path(entry.pw_dir), entry.pw_uid, entry.pw_gid)
        except KeyError:
            pass
    return User(Path(environment.get("HOME") or "/root"), os.geteuid(), os.getegid())


def files(environment: Mapping[str, str], user: User) -> list[Path]:
    """The kubeconfig files kubectl would merge, the one it writes to first."""
    named = [Path(entry) for entry in environment.get("KUBECONFIG", "").split(":") if entry]
    return named or [user.home / ".kube" / "config"]


def add_context(plan: ClusterPlan, environment: Mapping[str, str]) -> Path:
    """Merge the cluster's context and make it the current one; the file it went to. Raises ClusterError."""
    from sampan.client.kubeconfig import load, merge

    user = invoking_user(environment)
    file = files(environment, user)[0]
    new_directory = not file.parent.exists()
    new_file = not file.exists()
    try:
        merge(file, plan.context, load(plan.admin_kubeconfig))
        if new_directory:
            os.chown(file.parent, user.uid, user.gid)
        if new_file:
            os.chown(file, user.uid, user.gid)
    except (OSError, ValueError) as error:
        raise ClusterError(f"{file} cannot take the context {plan.context}: {error}; set KUBECONFIG to another file") from None
    return file


def remove_context(context: str, environment: Mapping[str, str]) -> None:
    """Take the context out of the user's files. A file that cannot be read is left as it is: it is not ours to mend."""
    from sampan.client.kubeconfig import remove

    for file in files(environment, invoking_user(environment)):
        try:
            if file.exists() and context in file.read_text():
                remove(file, context)
        except (OSError, ValueError):
            continue
