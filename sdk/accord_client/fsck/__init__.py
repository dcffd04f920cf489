"""The check of a whole log: from a directory of tiles, over HTTPS, or from its database."""

from accord_client.fsck.database import check_log
from accord_client.fsck.report import Finding, Report

__all__ = ["Finding", "Report", "check_log"]
