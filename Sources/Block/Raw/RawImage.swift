// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// A raw disk image: a file or block device of the host whose bytes are the disk's.
///
/// A size that is not a multiple of 512 is padded: the missing end of the last sector reads as zeroes, and a
/// write to that sector extends the file to whole sectors, so that nothing the guest wrote is lost.
///
/// What the host's page cache can do without waiting (reads it has the data for; writes where the file system can
/// promise it, as XFS and btrfs do) is done within ``submit(_:)``. Everything else happens on worker threads or, with O_DIRECT, in the
/// kernel, and completes on the event loop.
public final class RawImage: BlockDevice {
  public private(set) var byteCount: UInt64
  public let isReadOnly: Bool
  public let canDiscard: Bool
  public let label: String
  /// How requests reach the kernel.
  public var engine: AsynchronousIO { kernelQueue == nil ? .threads : .native }
  /// Whether the host's page cache is passed by; false with a direct cache mode where the file system cannot.
  public var isDirect: Bool { file.isDirect }

  public var allocatedByteCount: UInt64? { isOpen ? file.allocatedByteCount : nil }

  private let file: ImageFile
  private let cache: CacheMode
  private let lock: ImageLock?
  private let bell: Notifier
  private let pool: WorkerPool
  private var kernelQueue: LinuxAIO?
  private var isOpen = true

  /// Submitted and not yet completed.
  private var inFlight = 0
  /// Begun and not yet finished: those in flight that are not waiting.
  private var underWay = 0
  private var exclusiveIsUnderWay = false
  private var waiting = WorkList()
  /// Done, but their owners are not told yet. A list of its own, so that an owner may drain from within a
  /// completion.
  private var ready = WorkList()
  private var immediate = ImmediateCompletions()
  /// Whether the file system can read and write through the page cache without waiting, as far as known.
  private var pageCacheReadsAtOnce = true
  private var pageCacheWritesAtOnce: Bool
  /// Whether the kernel can tell when a direct transfer would have to wait, as far as known.
  private var kernelCanTell = true
  /// The `errno` of a failed flush of the page cache. The kernel then forgets what it could not write, so no
  /// later flush may claim success.
  private var lostWrites: Int32?

  private static let maximumWorkerCount = 16
  /// Larger transfers go to a worker even if the page cache could do them: copying takes time, too.
  private static let immediateLimit = 256 << 10

  /// Opens the image at `path`.
  /// - Parameter loop: where completions are delivered; its lock is the machine's.
  public static func open(path: String, options: BlockOptions = BlockOptions(), loop: EventLoop)
    throws(BlockError) -> RawImage
  {
    if options.aio == .native && !options.cache.isDirect {
      throw .nativeNeedsDirect(path: path, cache: options.cache)
    }
    let file = try ImageFile.open(path: path, options: options)
    let lock =
      options.isLocked
      ? try ImageLock(file: file, isWriter: !options.isReadOnly, sharesWrites: options.sharesWrites) : nil
    return try RawImage(file: file, options: options, lock: lock, loop: loop)
  }

  /// Serves an open file.
  init(file: ImageFile, options: BlockOptions, lock: ImageLock?, loop: EventLoop) throws(BlockError) {
    self.file = file
    self.lock = lock
    label = file.path
    byteCount = (file.byteCount + 511) & ~511
    isReadOnly = file.isReadOnly
    canDiscard = options.discard == .unmap && !file.isReadOnly
    cache = options.cache
    pageCacheWritesAtOnce = !options.cache.isWriteThrough
    let target = BellTarget()
    do {
      bell = try Notifier(on: loop) { target.image?.reap() }
    } catch {
      throw .host(path: file.path, what: error.what, code: error.code)
    }
    let bell = bell
    pool = WorkerPool(maximumWorkerCount: Self.maximumWorkerCount) { bell.signal() }
    if file.isDirect && options.aio != .threads { kernelQueue = LinuxAIO(eventDescriptor: bell.descriptor) }
    target.image = self
  }

  deinit { pool.close() }

  /// Lets the loop's handler find the image without keeping it alive.
  private final class BellTarget {
    weak var image: RawImage?
  }

  // MARK: Submission

  public func submit(_ request: BlockRequest) {
    request.isInFlight = true
    if let result = immediateResult(of: request) {
      completeWithinSubmission(request, result)
      return
    }
    let done = transferThroughPageCache(request)
    if done > 0 && done == request.segmentByteCount {
      completeWithinSubmission(request, .success)
      return
    }
    let operation = Self.operation(of: request)
    operation.request = request
    operation.image = self
    operation.file = file
    operation.done = done
    operation.code = 0
    operation.isExclusive = !isAligned(request)
    inFlight += 1
    if operation.isExclusive || exclusiveIsUnderWay || !waiting.isEmpty {
      operation.stage = .waiting
      waiting.append(operation)
      startWaiting()
    } else {
      start(operation)
    }
  }

  private func completeWithinSubmission(_ request: BlockRequest, _ result: BlockResult) {
    guard immediate.enter(request, result) else {
      bell.signal()
      return
    }
    request.complete(result)
    immediate.leave()
  }

  /// How a request ends that needs no work; nil if it does.
  private func immediateResult(of request: BlockRequest) -> BlockResult? {
    guard isOpen else { return .failed(code: EIO) }
    let operation = request.operation
    if operation == .flush {
      if let lostWrites { return .failed(code: lostWrites) }
      return cache == .unsafe || isReadOnly ? .success : nil
    }
    let count = request.transferByteCount
    guard request.offset <= byteCount, count <= byteCount - request.offset else {
      return .failed(code: operation == .read ? EINVAL : ENOSPC)
    }
    if operation != .read && isReadOnly { return .failed(code: EROFS) }
    if count == 0 || operation == .discard && !canDiscard { return .success }
    return nil
  }

  /// Reads what is in the page cache, or writes what it takes, without waiting for the disk.
  /// - Returns: the number of bytes; 0 if the file system cannot promise not to wait.
  private func transferThroughPageCache(_ request: BlockRequest) -> Int {
    guard !file.isDirect, request.segmentByteCount <= Self.immediateLimit,
      request.segmentCount <= RawOperation.maximumSegmentCount
    else { return 0 }
    let segments = request.segments.baseAddress
    let (segmentCount, offset) = (Int32(request.segmentCount), Int64(request.offset))
    let count: Int
    switch request.operation {
    case .read where pageCacheReadsAtOnce:
      count = martlet_preadv2(file.descriptor, segments, segmentCount, offset, martlet_RWF_NOWAIT)
      if count < 0 && errno != EAGAIN && errno != EINTR { pageCacheReadsAtOnce = false }
    case .write where pageCacheWritesAtOnce:
      count = martlet_pwritev2(file.descriptor, segments, segmentCount, offset, martlet_RWF_NOWAIT)
      if count < 0 && errno != EAGAIN && errno != EINTR { pageCacheWritesAtOnce = false }
    default: return 0
    }
    return max(0, count)
  }

  private static func operation(of request: BlockRequest) -> RawOperation {
    if let known = request.backEndStorage as? RawOperation { return known }
    let new = RawOperation()
    request.backEndStorage = new
    return new
  }

  /// Whether a direct transfer can do it; discards and flushes always can be done.
  private func isAligned(_ request: BlockRequest) -> Bool {
    guard file.isDirect else { return true }
    switch request.operation {
    case .flush, .discard: return true
    case .read, .write, .writeZeroes:
      return (request.offset | request.transferByteCount) & UInt64(file.offsetAlignment - 1) == 0
    }
  }

  private func start(_ operation: RawOperation) {
    underWay += 1
    exclusiveIsUnderWay = operation.isExclusive
    if let kernelQueue, let request = operation.request, !operation.isExclusive,
      request.operation == .read || request.operation == .write,
      request.segmentCount <= RawOperation.maximumSegmentCount,
      RawOperation.isMemoryAligned(request, to: file.memoryAlignment),
      kernelQueue.submit(
        operation, descriptor: file.descriptor, flags: kernelCanTell ? martlet_RWF_NOWAIT : 0)
    {
      operation.stage = .kernel
      return
    }
    operation.stage = .pooled
    pool.submit(operation)
  }

  /// Starts waiting operations in their order, as far as exclusive ones let them.
  private func startWaiting() {
    while !exclusiveIsUnderWay, let next = waiting.first as? RawOperation {
      if next.isExclusive && underWay > 0 { return }
      _ = waiting.popFirst()
      start(next)
    }
  }

  // MARK: Completion

  /// Completes what is done: called when the bell rang.
  private func reap() {
    collect(waits: false)
    deliver()
  }

  /// Takes what the kernel and the workers have done.
  /// - Parameter waits: whether to wait for at least one event; there must be something under way.
  private func collect(waits: Bool) {
    if let kernelQueue, kernelQueue.inFlight > 0 {
      kernelQueue.reap(waits: waits) { kernelIsDone(with: $0, result: $1) }
      ready.append(contentsOf: pool.takeCompleted())
    } else {
      ready.append(contentsOf: waits ? pool.waitForCompleted() : pool.takeCompleted())
    }
  }

  private func kernelIsDone(with operation: RawOperation, result: Int) {
    if result == operation.request?.segmentByteCount {
      ready.append(operation)
      return
    }
    if result == -Int(EOPNOTSUPP) { kernelCanTell = false }
    switch Int32(truncatingIfNeeded: -result) {
    case EAGAIN, EOPNOTSUPP, EINVAL, EINTR:
      // It would have had to wait, cannot tell whether it would, or does not like the alignment.
      operation.done = 0
    case let code where code > 0:
      operation.code = code
      ready.append(operation)
      return
    default:
      // It stopped short.
      operation.done = result & ~(file.offsetAlignment - 1)
    }
    operation.stage = .pooled
    pool.submit(operation)
  }

  /// Tells the owners of what is done.
  private func deliver() {
    for (request, result) in immediate.takeDeferred() { request.complete(result) }
    while let item = ready.popFirst() { finish(item) }
  }

  private func finish(_ item: WorkItem) {
    guard let operation = item as? RawOperation else { return }
    underWay -= 1
    if operation.isExclusive { exclusiveIsUnderWay = false }
    startWaiting()
    let code = operation.code
    if code != 0, operation.request?.operation == .flush, !file.isDirect { lostWrites = code }
    complete(operation, code == 0 ? .success : .failed(code: code))
  }

  private func complete(_ operation: RawOperation, _ result: BlockResult) {
    inFlight -= 1
    operation.stage = .idle
    operation.image = nil
    operation.file = nil
    let request = operation.request
    operation.request = nil
    request?.complete(result)
  }

  // MARK: Cancelling, growing and closing

  /// Takes a request back that has not begun; it completes within the call. One that the kernel or a worker has
  /// begun completes in its own time.
  public func cancel(_ request: BlockRequest) {
    guard let operation = request.backEndStorage as? RawOperation, operation.request === request,
      operation.image === self
    else { return }
    switch operation.stage {
    case .waiting:
      guard waiting.remove(operation) else { return }
      startWaiting()
      complete(operation, .cancelled)
    case .pooled:
      guard pool.cancel(operation) else { return }
      underWay -= 1
      if operation.isExclusive { exclusiveIsUnderWay = false }
      startWaiting()
      complete(operation, .cancelled)
    case .kernel, .idle: return
    }
  }

  /// Makes the file longer. Of a block device, which the host makes larger, the new size is taken notice of.
  public func resize(to newCount: UInt64) throws(BlockError) {
    guard isOpen, !isReadOnly else { throw .fixedSize(path: label) }
    drain()
    let actual = try file.currentByteCount()
    guard newCount >= min(byteCount, actual) else { throw .shrinks(path: label, byteCount: byteCount) }
    if file.isBlockDevice {
      guard newCount <= actual else { throw .deviceTooSmall(path: label) }
      byteCount = actual & ~511
    } else {
      if newCount > actual { try file.grow(to: newCount) }
      byteCount = max(byteCount, (newCount + 511) & ~511)
    }
  }

  public func drain() {
    deliver()
    while inFlight > 0 {
      collect(waits: true)
      deliver()
    }
  }

  public func close() {
    guard isOpen else { return }
    drain()
    isOpen = false
    if !isReadOnly && cache != .unsafe { _ = file.flush() }
    lock?.release()
    bell.close()
    pool.close()
    kernelQueue = nil
  }
}
