// SPDX-License-Identifier: GPL-2.0-or-later

/// Something that holds blocks of data: an image file, a host disk, an overlay over another, memory in a
/// test. It knows nothing of guests.
///
/// Called with the machine's lock held. Every submitted request is completed exactly once, in any order; a
/// flush covers the writes completed before it was submitted.
public protocol BlockDevice: AnyObject {
  /// The size in bytes, a multiple of 512 (a short tail of an image is padded with zeroes).
  var byteCount: UInt64 { get }
  /// Whether writes are refused.
  var isReadOnly: Bool { get }
  /// Whether discards do something.
  var canDiscard: Bool { get }
  /// How many bytes it takes on the host; nil if that is not known.
  var allocatedByteCount: UInt64? { get }
  /// What it is, for messages: the path of the image.
  var label: String { get }
  /// Changes the size; a device that cannot throws. What is new reads as zeroes.
  func resize(to byteCount: UInt64) throws(BlockError)
  /// Starts a request. One that reaches outside the medium fails with `EINVAL` (reads) or `ENOSPC` (writes).
  func submit(_ request: BlockRequest)
  /// Takes a request back if that is still possible. It completes in any case.
  func cancel(_ request: BlockRequest)
  /// Waits, without the event loop, until nothing is in flight: before a state is saved, or at the end.
  func drain()
  /// Writes everything out and closes the image; no requests may follow.
  func close()
}

extension BlockDevice {
  public var allocatedByteCount: UInt64? { nil }
  public func resize(to byteCount: UInt64) throws(BlockError) { throw .fixedSize(path: label) }
}
