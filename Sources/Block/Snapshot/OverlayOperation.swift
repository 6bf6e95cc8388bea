// SPDX-License-Identifier: GPL-2.0-or-later

/// The overlay's side of one request: kept with it and used again each time.
final class OverlayOperation {
  /// The request under way; it keeps this object, and this keeps it as long as it is in flight.
  var request: BlockRequest?
  /// The part that is being read or written now. Its tag is this object's address, its owner the overlay.
  let part: BlockRequest
  /// Where the part is being done.
  var target: (any BlockDevice)?
  /// How many bytes of a read are done.
  var position: UInt64 = 0
  /// The length of the part.
  var partByteCount: UInt64 = 0
  /// Whether the part is being submitted at this moment.
  var isSubmitting = false
  /// Whether the part completed within its submission.
  var completedWithin = false

  /// An operation for requests with up to `segmentCapacity` segments.
  init(overlay: SnapshotOverlay, segmentCapacity: Int) {
    part = BlockRequest(owner: overlay, segmentCapacity: segmentCapacity)
    part.tag = Int(bitPattern: Unmanaged.passUnretained(self).toOpaque())
  }

  /// The operation whose ``part`` this is, while it is in flight.
  static func of(part: BlockRequest) -> OverlayOperation? {
    guard let address = UnsafeRawPointer(bitPattern: part.tag) else { return nil }
    return Unmanaged<OverlayOperation>.fromOpaque(address).takeUnretainedValue()
  }
}
