"""How the workstation says no: a status, a code for machines and one sentence for people."""

from __future__ import annotations

from bonescan.errors import (
    ArchiveUnavailable,
    BoneScanError,
    InvalidValue,
    LabellingFailed,
    NotABoneScan,
    QuotaExceeded,
    UnreadableInput,
)

__all__ = ["Refusal", "refusal_of"]


class Refusal(BoneScanError, RuntimeError):
    """A request that is not served.

    Parameters
    ----------
    status : int
        Of HTTP.
    code : str
        Stable, for machines.
    message : str
        One sentence without a patient's identity.
    retry_after_s : float
        When it may be tried again; 0 where that does not help.
    """

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message, status=status, code=code)
        self.status, self.code, self.retry_after_s = status, code, retry_after_s

    @property
    def body(self) -> dict[str, dict[str, str]]:
        """What is answered."""
        return {"error": {"code": self.code, "message": str(self)}}

    @property
    def headers(self) -> dict[str, str]:
        """What is said in the answer's head."""
        later = {"Retry-After": str(max(1, round(self.retry_after_s)))} if self.retry_after_s else {}
        return later | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def refusal_of(error: BoneScanError) -> Refusal:
    """Say an error of the rooms below as a refusal.

    Parameters
    ----------
    error : BoneScanError

    Returns
    -------
    Refusal
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ArchiveUnavailable | QuotaExceeded):
        return Refusal(503, "unavailable", str(error), retry_after_s=5)
    if isinstance(error, NotABoneScan | UnreadableInput | LabellingFailed):
        return Refusal(422, "unreadable", str(error))
    return Refusal(409 if isinstance(error, InvalidValue) else 422, "refused", str(error))
