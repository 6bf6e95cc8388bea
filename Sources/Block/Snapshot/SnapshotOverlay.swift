// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// A disk that can be written without its image being changed (`-snapshot`): what is written goes to a temporary
/// file and is gone with the process.
///
/// The temporary file is sparse and has the disk's own layout. A map tells for each sector whether it was
/// written; with sectors as its unit there is nothing to copy from the base when a part of something larger is
/// written, so writes need no ordering among each other. A sector counts as written when its write is *done*: a
/// read that overtakes it finds the base's data, never the file's holes.
///
/// Offsets and lengths must be multiples of 512; others fail with `EINVAL`.
public final class SnapshotOverlay: BlockDevice, BlockRequestOwner {
  public let byteCount: UInt64
  public var isReadOnly: Bool { false }
  public let canDiscard: Bool
  public let label: String

  private let base: any BlockDevice
  private let store: RawImage
  private let map: SectorMap
  private let bell: Notifier
  private var immediate = ImmediateCompletions()
  private var inFlight = 0

  private static let sectorByteCount: UInt64 = 512

  /// Lays a temporary file over `base`, which is only read, and closed with the overlay.
  /// - Parameters:
  ///   - directory: where the file is made; nil: `TMPDIR` or `/var/tmp`.
  ///   - canDiscard: whether discards give the temporary file's space back.
  public init(
    over base: any BlockDevice, directory: String? = nil, canDiscard: Bool = false, loop: EventLoop
  ) throws(BlockError) {
    self.base = base
    self.canDiscard = canDiscard
    byteCount = base.byteCount
    label = "\(base.label) (snapshot)"
    let directory = directory ?? TemporaryFile.defaultDirectory
    guard let map = SectorMap(sectorCount: base.byteCount / Self.sectorByteCount) else {
      throw .host(path: base.label, what: "cannot get memory for a snapshot", code: errno)
    }
    self.map = map
    let descriptor = try TemporaryFile.make(in: directory, byteCount: base.byteCount)
    let file = try ImageFile(
      path: "snapshot file in \(directory)", descriptor: descriptor, isReadOnly: false, isDirect: false)
    var options = BlockOptions(cache: .unsafe)
    options.discard = .unmap
    store = try RawImage(file: file, options: options, lock: nil, loop: loop)
    let target = BellTarget()
    do {
      bell = try Notifier(on: loop) { target.overlay?.completeDeferred() }
    } catch {
      throw .host(path: base.label, what: error.what, code: error.code)
    }
    target.overlay = self
  }

  /// Lets the loop's handler find the overlay without keeping it alive.
  private final class BellTarget {
    weak var overlay: SnapshotOverlay?
  }

  // MARK: Submission

  public func submit(_ request: BlockRequest) {
    request.isInFlight = true
    if let result = immediateResult(of: request) {
      completeWithinSubmission(request, result)
      return
    }
    let operation = operation(of: request)
    operation.request = request
    operation.position = 0
    inFlight += 1
    if let result = advance(operation) {
      finish(operation)
      completeWithinSubmission(request, result)
    }
  }

  private func immediateResult(of request: BlockRequest) -> BlockResult? {
    if request.operation == .flush { return .success }
    let count = request.transferByteCount
    guard request.offset <= byteCount, count <= byteCount - request.offset else {
      return .failed(code: request.operation == .read ? EINVAL : ENOSPC)
    }
    guard (request.offset | count) % Self.sectorByteCount == 0 else { return .failed(code: EINVAL) }
    return count == 0 || request.operation == .discard && !canDiscard ? .success : nil
  }

  private func operation(of request: BlockRequest) -> OverlayOperation {
    if let known = request.backEndStorage as? OverlayOperation, known.part.owner === self { return known }
    let new = OverlayOperation(overlay: self, segmentCapacity: request.segments.count)
    request.backEndStorage = new
    return new
  }

  /// Does what is left of an operation, part by part, until a part must be waited for.
  /// - Returns: how the operation ended, nil if it has not.
  private func advance(_ operation: OverlayOperation) -> BlockResult? {
    guard let request = operation.request else { return nil }
    let total = request.transferByteCount
    while operation.position < total {
      preparePart(of: operation, request, rest: total - operation.position)
      operation.isSubmitting = true
      operation.completedWithin = false
      operation.target?.submit(operation.part)
      operation.isSubmitting = false
      if !operation.completedWithin { return nil }
      if let result = partEnded(operation, request) { return result }
    }
    return .success
  }

  private func preparePart(of operation: OverlayOperation, _ request: BlockRequest, rest: UInt64) {
    let part = operation.part
    part.removeSegments()
    part.operation = request.operation
    part.offset = request.offset + operation.position
    operation.partByteCount = rest
    operation.target = store
    switch request.operation {
    case .read:
      let run = map.run(from: part.offset / Self.sectorByteCount, limit: rest / Self.sectorByteCount)
      operation.partByteCount = run.count * Self.sectorByteCount
      if !run.isMarked { operation.target = base }
      _ = part.appendSegments(
        of: request, from: Int(operation.position), byteCount: Int(operation.partByteCount))
    case .write:
      _ = part.appendSegments(of: request, from: 0, byteCount: Int(rest))
    case .discard, .writeZeroes, .flush:
      // A hole reads as zeroes: the base's data is hidden, and the space is given back.
      part.operation = .writeZeroes
      part.byteCount = rest
    }
  }

  /// Takes the result of a part; returns how the operation ended if that ends it.
  private func partEnded(_ operation: OverlayOperation, _ request: BlockRequest) -> BlockResult? {
    guard operation.part.result == .success else { return operation.part.result }
    if request.operation != .read {
      map.mark(
        first: operation.part.offset / Self.sectorByteCount,
        count: operation.partByteCount / Self.sectorByteCount)
    }
    operation.position += operation.partByteCount
    return nil
  }

  // MARK: Completion

  public func blockRequestCompleted(_ part: BlockRequest) {
    guard let operation = OverlayOperation.of(part: part), let request = operation.request else { return }
    if operation.isSubmitting {
      operation.completedWithin = true
    } else if let result = partEnded(operation, request) ?? advance(operation) {
      finish(operation)
      request.complete(result)
    }
  }

  private func finish(_ operation: OverlayOperation) {
    inFlight -= 1
    operation.target = nil
    operation.request = nil
  }

  private func completeWithinSubmission(_ request: BlockRequest, _ result: BlockResult) {
    guard immediate.enter(request, result) else {
      bell.signal()
      return
    }
    request.complete(result)
    immediate.leave()
  }

  private func completeDeferred() {
    for (request, result) in immediate.takeDeferred() { request.complete(result) }
  }

  // MARK: Cancelling and closing

  public func cancel(_ request: BlockRequest) {
    guard let operation = request.backEndStorage as? OverlayOperation, operation.request === request else {
      return
    }
    operation.target?.cancel(operation.part)
  }

  public func drain() {
    completeDeferred()
    while inFlight > 0 {
      store.drain()
      base.drain()
      completeDeferred()
    }
  }

  public func close() {
    drain()
    bell.close()
    store.close()
    base.close()
  }
}
