// SPDX-License-Identifier: GPL-2.0-or-later

import CAIO
import CHost
import Glibc

/// The back end's side of one request on a raw image: kept with the request and used again each time.
final class RawOperation: WorkItem, @unchecked Sendable {
  // Unchecked: handed over whole. The image uses it with the machine's lock held, except between submission to
  // the worker pool and completion, when it is the worker's.

  /// The request under way; it keeps this object, and this keeps it as long as it is in flight.
  var request: BlockRequest?
  /// The image it was submitted to, while it is in flight.
  var image: RawImage?
  /// The file it works on, while it is in flight.
  var file: ImageFile?
  /// How many bytes were already transferred by a faster way.
  var done = 0
  /// How it ended: 0 or an `errno`.
  var code: Int32 = 0
  /// Whether nothing else may be under way on the image: O_DIRECT cannot do it as it is.
  var isExclusive = false
  /// Where it is, for ``RawImage/cancel(_:)``.
  var stage = Stage.idle

  /// Where an operation is.
  enum Stage {
    case idle
    /// In the image's list, behind or before an exclusive one.
    case waiting
    /// With the worker pool.
    case pooled
    /// With the kernel.
    case kernel
  }

  /// The control block for libaio.
  let controlBlock: UnsafeMutablePointer<iocb>

  /// The most segments a system call takes (`IOV_MAX`).
  static let maximumSegmentCount = 1024
  /// The size of the aligned buffer that data goes through when the guest's memory is not aligned.
  private static let bounceByteCount = 256 << 10

  override init() {
    controlBlock = .allocate(capacity: 1)
    controlBlock.initialize(to: iocb())
  }

  deinit { controlBlock.deallocate() }

  // MARK: On a worker

  override func run() {
    guard let request, let file else {
      code = EIO
      return
    }
    if isExclusive {
      code = file.withPageCache { perform(request, on: file, isDirect: false) }
    } else {
      code = perform(request, on: file, isDirect: file.isDirect)
    }
  }

  private func perform(_ request: BlockRequest, on file: ImageFile, isDirect: Bool) -> Int32 {
    switch request.operation {
    case .read, .write:
      if isDirect && !Self.isMemoryAligned(request, to: file.memoryAlignment) {
        return bounce(request, on: file)
      }
      return transfer(request, on: file, granularity: isDirect ? file.offsetAlignment : 1)
    case .flush:
      return file.flush()
    case .discard:
      return file.discard(offset: request.offset, byteCount: request.byteCount)
    case .writeZeroes:
      return file.writeZeroes(offset: request.offset, byteCount: request.byteCount)
    }
  }

  /// Whether all segments begin and end at multiples of `alignment`.
  static func isMemoryAligned(_ request: BlockRequest, to alignment: Int) -> Bool {
    guard alignment > 1 else { return true }
    let mask = UInt(alignment - 1)
    for index in 0..<request.segmentCount {
      let segment = request.segments[index]
      if (UInt(bitPattern: segment.iov_base) | UInt(segment.iov_len)) & mask != 0 { return false }
    }
    return true
  }

  /// Reads or writes from `done` on to the end, straight from or to the guest's memory.
  private func transfer(_ request: BlockRequest, on file: ImageFile, granularity: Int) -> Int32 {
    let total = request.segmentByteCount
    while done < total {
      let count = transferOnce(request, on: file)
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      // A direct transfer that stopped short goes on at the last boundary.
      let progress = done + count < total ? count & ~(granularity - 1) : count
      if progress == 0 { return endOfFile(request, from: done + count) }
      done += progress
    }
    return 0
  }

  /// One system call for what is left.
  private func transferOnce(_ request: BlockRequest, on file: ImageFile) -> Int {
    guard let segments = request.segments.baseAddress else { return 0 }
    if done == 0 && request.segmentCount <= Self.maximumSegmentCount {
      return transferSegments(request, on: file, segments, request.segmentCount)
    }
    return withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.maximumSegmentCount) { rest in
      var skipped = done
      var count = 0
      var index = 0
      while index < request.segmentCount && count < Self.maximumSegmentCount {
        let segment = segments[index]
        index += 1
        if skipped >= segment.iov_len {
          skipped -= segment.iov_len
          continue
        }
        rest[count] = iovec(iov_base: segment.iov_base + skipped, iov_len: segment.iov_len - skipped)
        skipped = 0
        count += 1
      }
      guard let base = rest.baseAddress else { return 0 }
      return transferSegments(request, on: file, base, count)
    }
  }

  private func transferSegments(
    _ request: BlockRequest, on file: ImageFile, _ segments: UnsafePointer<iovec>, _ count: Int
  ) -> Int {
    let offset = Int(request.offset) + done
    return request.operation == .write
      ? pwritev(file.descriptor, segments, Int32(count), offset)
      : preadv(file.descriptor, segments, Int32(count), offset)
  }

  /// What lies beyond the end of the file reads as zeroes: the padding of a short tail, or a file that was cut
  /// short under us.
  private func endOfFile(_ request: BlockRequest, from position: Int) -> Int32 {
    guard request.operation == .read else { return EIO }
    request.zeroSegments(from: position, byteCount: request.segmentByteCount)
    return 0
  }

  /// Reads or writes through an aligned buffer, piece by piece. Offset and length are aligned.
  private func bounce(_ request: BlockRequest, on file: ImageFile) -> Int32 {
    let capacity = min(Self.bounceByteCount, request.segmentByteCount - done)
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, ImageFile.largestAlignment, capacity) == 0, let memory else {
      return ENOMEM
    }
    defer { free(memory) }
    let total = request.segmentByteCount
    while done < total {
      let length = min(capacity, total - done)
      let buffer = UnsafeMutableRawBufferPointer(start: memory, count: length)
      let offset = Int(request.offset) + done
      let count: Int
      if request.operation == .write {
        request.copySegments(from: done, to: buffer)
        count = pwrite(file.descriptor, memory, length, offset)
      } else {
        count = pread(file.descriptor, memory, length, offset)
      }
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      if request.operation == .read {
        request.copy(UnsafeRawBufferPointer(rebasing: buffer.prefix(count)), toSegmentsFrom: done)
      }
      let progress = count < length ? count & ~(file.offsetAlignment - 1) : count
      if progress == 0 { return endOfFile(request, from: done + count) }
      done += progress
    }
    return 0
  }
}
