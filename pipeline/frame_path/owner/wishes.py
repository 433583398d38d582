"""What the publisher wants of the frames to come."""

from __future__ import annotations

from pipeline.frame_path.owner.versions import Versions
from pipeline.messages import Attachment, CameraReceipt


class Wishes:
    """As of the last answer. Not thread-safe: the caller holds the owner's lock."""

    def __init__(self) -> None:
        self.is_armed = False
        """A rule is pending, active or releasing: the change gate stays open."""
        self.is_sample_wanted = False
        """The next frame shall bring a view sample."""
        self.is_collecting = False
        """The frames to come shall bring their pictures."""
        self.is_thumbnail_due = False
        """The next frame that shows something shall bring a preview. It need not be analysed for that alone."""
        self.versions = Versions()

    @property
    def needs_analysis(self) -> bool:
        """No picture may be passed over as unchanged."""
        return self.is_armed or self.is_sample_wanted or self.is_collecting

    def attached(self, attachment: Attachment, *, is_first: bool) -> None:
        """A publisher knows the lease; the first one says where the versions begin."""
        if is_first:
            self.versions = Versions(attachment.artefacts)
        self.is_armed = attachment.is_armed
        self.is_collecting = False
        self.is_sample_wanted = attachment.view_sample_wanted
        self.is_thumbnail_due = attachment.is_thumbnail_due

    def received(self, receipt: CameraReceipt, *, has_sample_in_flight: bool) -> None:
        """An answer; a sample that is on its way already is not asked for twice."""
        for version in receipt.artefacts:
            self.versions.add(version)
        self.is_armed = receipt.is_armed
        self.is_collecting = receipt.is_collecting
        self.is_thumbnail_due = receipt.is_thumbnail_due
        self.is_sample_wanted = receipt.view_sample_wanted and not has_sample_in_flight
