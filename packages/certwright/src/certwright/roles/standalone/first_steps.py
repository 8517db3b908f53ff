"""`certwright quickstart`: a folder, a CA and a certificate, from nothing, in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from certwright import clock
from certwright.adapters.atomic_files import PUBLIC_MODE, write_file
from certwright.errors import StartupError
from certwright.resources.features import FeatureGates
from certwright.roles.standalone.layout import DEFAULT_NAMESPACE, Layout
from certwright.roles.standalone.samples import Acme, Sample, make_acme_sample, make_sample
from certwright.roles.standalone.service import StandaloneSettings, folder_options, run_once
from certwright.roles.standalone.status_page import status_page

__all__ = ["FirstSteps", "take_acme_steps", "take_first_steps"]

_FILE: Final = "quickstart.yaml"


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What to show."""

    text: str
    is_good: bool


async def take_acme_steps(
    layout: Layout, hosts: Sequence[str], acme: Acme, settings: StandaloneSettings, serve: str
) -> FirstSteps:
    """Make the folder if it has no YAML yet, get a certificate, and say what there is now.

    Args:
        layout: Where.
        hosts: The names to prove.
        acme: The CA.
        settings: How the folder is served, and challenges are answered.
        serve: The command that keeps the certificate renewed.

    Raises:
        InvalidError: A host cannot be proven.
        StartupError: The folder cannot be used, or holds other files already.
    """
    sample = make_acme_sample(hosts, acme)
    await asyncio.to_thread(_furnish, layout.folder, sample)
    problems = await run_once(settings)
    page = status_page(layout, clock.now()).text
    if problems:
        told = "".join(f"{problem}\n" for problem in problems)
        again = f"\nOnce that is mended, this goes on where it stopped:\n    {serve}\n"
        return FirstSteps(f"{page}\n{told}{again}", is_good=False)
    leaf = layout.secrets / DEFAULT_NAMESPACE / sample.certificate
    return FirstSteps(
        f"{page}\n"
        f"certificate with chain  {leaf}/tls.crt\n"
        f"private key             {leaf}/tls.key\n\n"
        f"Change, add:            edit {layout.folder / _FILE}\n"
        f"Keep it renewed:        {serve}\n",
        is_good=True,
    )


async def take_first_steps(folder: Path, hosts: Sequence[str]) -> FirstSteps:
    """Make the folder if it has no YAML yet, issue, and say what there is now.

    Raises:
        InvalidError: A host is neither a DNS name nor an IP address.
        StartupError: The folder cannot be used, or holds other files already.
    """
    sample = make_sample(hosts)
    layout = await asyncio.to_thread(_furnish, folder, sample)
    problems = await run_once(StandaloneSettings(layout, folder_options(FeatureGates())))
    page = status_page(layout, clock.now()).text
    if problems:
        return FirstSteps(page, is_good=False)
    leaf = layout.secrets / DEFAULT_NAMESPACE / sample.certificate
    # Not the CA's own folder: while the CA changes, this one holds both.
    ca = f"{leaf}/ca.crt"
    return FirstSteps(
        f"{page}\n"
        f"certificate  {leaf}/tls.crt\n"
        f"private key  {leaf}/tls.key\n"
        f"CA to trust  {ca}\n\n"
        f"Check it:            openssl verify -CAfile {ca} {leaf}/tls.crt\n"
        f"Change, add:         edit {folder / _FILE}\n"
        f"Keep them renewed:   certwright standalone {folder}\n",
        is_good=True,
    )


def _furnish(folder: Path, sample: Sample) -> Layout:
    layout = Layout(folder)
    path = folder / _FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(f"cannot make the folder {folder}: {error.strerror}") from error
    present = layout.manifests()
    if present and (present != [path] or path.read_text() != sample.yaml):
        raise StartupError(
            f"{folder} has files already ({present[0].name}): edit them and run `certwright "
            f"standalone {folder}`, or choose another --dir"
        )
    write_file(path, sample.yaml.encode(), PUBLIC_MODE)
    return layout
