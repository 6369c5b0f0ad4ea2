"""What a command that talks to AWS works on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paymig.aws.session import Aws
    from paymig.console import Console
    from runtime_lambdas.runtime.journal.journal import Journal
    from schemas.load import Spec
    from schemas.migration import Migration


class Operation:
    """One migration in the hands of one operator; everything is read or opened when it is first asked for.

    Args:
        path: the spec's file.
        environment: the overlay to apply, or None.
        profile: as of `Aws.for_spec`.
        region: as of `Aws.for_spec`.
        endpoint_url: as of `Aws.for_spec`.
        output: as of `Console`.
        stream: as of `Console`.
        terms: how a rehearsal departs from the spec: `speed` and `judge`, as of `Shifter`; None for nothing.
    """

    def __init__(
        self,
        path: Path,
        environment: str | None,
        profile: str | None,
        region: str | None,
        endpoint_url: str | None,
        output: str,
        stream: bool,
        terms: Mapping[str, Any] | None = None,
    ) -> None:
        self.terms = dict(terms or {})
        self._path, self._environment = path, environment
        self._profile, self._region, self._endpoint_url = profile, region, endpoint_url
        self._output, self._stream = output, stream

    @property
    def arguments(self) -> list[str]:
        """What makes another command work on the same: SPEC and the options that were given."""
        options = {
            "--environment": self._environment,
            "--profile": self._profile,
            "--region": self._region,
            "--endpoint-url": self._endpoint_url,
            "--format": self._output,
        }
        given = [part for name, value in options.items() if value is not None for part in (name, value)]
        return [str(self._path), *given]

    @cached_property
    def spec(self) -> Spec:
        """The spec with its overlay.

        Raises:
            SpecError: it has errors.
        """
        from schemas.load import load

        return load(self._path, self._environment)

    @property
    def migration(self) -> Migration:
        """The spec's values."""
        return self.spec.migration

    @cached_property
    def aws(self) -> Aws:
        """The operator's access to the spec's region.

        Raises:
            Refused: `--region` names another one.
        """
        from paymig.aws.session import Aws

        return Aws.for_spec(self.migration.region, self._profile, self._region, self._endpoint_url)

    @cached_property
    def journal(self) -> Journal:
        """The migration's journal.

        Raises:
            Refused: there is none yet.
        """
        from paymig.journal.opening import open_journal

        return open_journal(self.aws, self.migration.full_name)

    @cached_property
    def console(self) -> Console:
        """Where results, events and questions go."""
        from paymig.console import Console

        return Console(self._output, self._stream)
