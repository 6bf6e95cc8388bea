// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// An open image: its descriptor and the system calls made on it. Knows nothing of requests or threads.
final class ImageFile: Sendable {
  /// The path, as given.
  let path: String
  /// The descriptor; closed with the object.
  let descriptor: Int32
  /// The size in bytes when it was opened; not padded.
  let byteCount: UInt64
  /// Whether it is a block device of the host.
  let isBlockDevice: Bool
  /// Whether it is open for reading only.
  let isReadOnly: Bool
  /// What offsets and lengths must be a multiple of: 1 unless the page cache is passed by.
  let offsetAlignment: Int
  /// What host addresses must be a multiple of: 1 unless the page cache is passed by.
  let memoryAlignment: Int

  /// Whether the page cache is passed by.
  var isDirect: Bool { offsetAlignment > 1 }

  /// The largest alignment any host asks for.
  static let largestAlignment = 4096

  /// Opens an image.
  ///
  /// Where the file system knows no `O_DIRECT`, a direct cache mode uses the page cache all the same.
  static func open(path: String, options: BlockOptions) throws(BlockError) -> ImageFile {
    let isPassed = DescriptorSets.isSet(path)
    var status = stat()
    if !isPassed {
      guard stat(path, &status) == 0 else { throw openError(path, errno, isReadOnly: options.isReadOnly) }
      try checkKind(path, mode: status.st_mode)
    }
    var flags = O_CLOEXEC | (options.isReadOnly ? O_RDONLY : O_RDWR)
    if options.cache.isWriteThrough { flags |= O_DSYNC }
    let descriptor = DescriptorSets.open(path, flags, 0)
    guard descriptor >= 0 else { throw openError(path, errno, isReadOnly: options.isReadOnly) }
    if isPassed {
      do throws(BlockError) { try checkPassed(descriptor, path: path, flags: flags) } catch {
        Glibc.close(descriptor)
        throw error
      }
    }
    let file = try ImageFile(
      path: path, descriptor: descriptor, isReadOnly: options.isReadOnly, isDirect: options.cache.isDirect)
    if !options.isFormatGiven && !file.isBlockDevice { try file.refuseForeignFormat() }
    return file
  }

  /// Takes over an open descriptor; it is closed if this throws.
  init(path: String, descriptor: Int32, isReadOnly: Bool, isDirect: Bool) throws(BlockError) {
    self.path = path
    self.descriptor = descriptor
    self.isReadOnly = isReadOnly
    var status = stat()
    let statResult = fstat(descriptor, &status)
    isBlockDevice = status.st_mode & S_IFMT == S_IFBLK
    var size = UInt64(clamping: status.st_size)
    var failure: BlockError?
    if statResult != 0 {
      failure = .host(path: path, what: "cannot look at it", code: errno)
    } else if isBlockDevice, ioctl(descriptor, BlockIoctl.getSize64, &size) != 0 {
      failure = .host(path: path, what: "cannot get the device's size", code: errno)
    }
    byteCount = min(size, Self.largestByteCount)
    if failure == nil && byteCount == 0 { failure = .empty(path: path) }
    (offsetAlignment, memoryAlignment) =
      failure == nil && isDirect
      ? Self.enableDirect(descriptor, isBlockDevice: isBlockDevice) : (1, 1)
    if let failure { throw failure }
  }

  deinit { Glibc.close(descriptor) }

  /// The largest size that counts.
  static let largestByteCount = UInt64(Int64.max) & ~511

  // MARK: Size

  /// The size now, in bytes.
  func currentByteCount() throws(BlockError) -> UInt64 {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw .host(path: path, what: "cannot look at it", code: errno)
    }
    var size = UInt64(clamping: status.st_size)
    if isBlockDevice, ioctl(descriptor, BlockIoctl.getSize64, &size) != 0 {
      throw .host(path: path, what: "cannot get the device's size", code: errno)
    }
    return min(size, Self.largestByteCount)
  }

  /// How many bytes it takes on the host.
  var allocatedByteCount: UInt64? {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? UInt64(clamping: status.st_blocks) &* 512 : nil
  }

  /// Makes it longer, with a hole.
  func grow(to byteCount: UInt64) throws(BlockError) {
    guard byteCount <= Self.largestByteCount else {
      throw .host(path: path, what: "cannot make it larger", code: EFBIG)
    }
    let code = Self.retrying { ftruncate(descriptor, Int(byteCount)) }
    guard code == 0 else { throw .host(path: path, what: "cannot make it larger", code: code) }
  }

  // MARK: Opening

  /// The error for a path that `open` or `stat` refused with `code`.
  static func openError(_ path: String, _ code: Int32, isReadOnly: Bool) -> BlockError {
    switch code {
    case ENOENT, ENOTDIR: .missing(path: path, isReadOnly: isReadOnly)
    case EISDIR: .directory(path: path)
    case EACCES, EPERM, EROFS:
      !isReadOnly && access(path, R_OK) == 0
        ? .notWritable(path: path, code: code) : .unreadable(path: path, code: code)
    default: .host(path: path, what: "cannot open it", code: code)
    }
  }

  /// Whoever opened it may have opened anything, and what O_DSYNC does cannot be turned on later.
  private static func checkPassed(_ descriptor: Int32, path: String, flags: Int32) throws(BlockError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw .host(path: path, what: "cannot look at it", code: errno)
    }
    try checkKind(path, mode: status.st_mode)
    guard flags & O_DSYNC == 0 || martlet_fcntl(descriptor, F_GETFL, 0) & O_DSYNC != 0 else {
      throw .host(
        path: path, what: "a cache mode that writes through needs a descriptor opened with O_DSYNC",
        code: EINVAL)
    }
  }

  private static func checkKind(_ path: String, mode: mode_t) throws(BlockError) {
    switch mode & S_IFMT {
    case S_IFREG, S_IFBLK: return
    case S_IFDIR: throw .directory(path: path)
    case S_IFCHR: throw .notAnImage(path: path, kind: "a character device")
    case S_IFIFO: throw .notAnImage(path: path, kind: "a pipe")
    case S_IFSOCK: throw .notAnImage(path: path, kind: "a socket")
    default: throw .notAnImage(path: path, kind: "a special file")
    }
  }

  private func refuseForeignFormat() throws(BlockError) {
    var found: ForeignFormat?
    let alignment = Self.largestAlignment
    withUnsafeTemporaryAllocation(byteCount: alignment, alignment: alignment) { buffer in
      let count = pread(descriptor, buffer.baseAddress, alignment, 0)
      found = ForeignFormat.probe(UnsafeRawBufferPointer(rebasing: buffer.prefix(max(0, count))))
    }
    if let found { throw .foreignFormat(path: path, format: found) }
  }

  /// Turns `O_DIRECT` on and finds out the alignment it needs by trying; (1, 1) if the host has none.
  private static func enableDirect(_ descriptor: Int32, isBlockDevice: Bool) -> (offset: Int, memory: Int) {
    let flags = martlet_fcntl(descriptor, F_GETFL, 0)
    guard flags >= 0, martlet_fcntl(descriptor, F_SETFL, Int(flags | martlet_O_DIRECT)) == 0 else {
      return (1, 1)
    }
    var smallest = 512
    var sectorSize: Int32 = 0
    if isBlockDevice, ioctl(descriptor, BlockIoctl.getSectorSize, &sectorSize) == 0 {
      smallest = min(max(Int(sectorSize), smallest), largestAlignment)
    }
    return withUnsafeTemporaryAllocation(byteCount: 2 * largestAlignment, alignment: largestAlignment) {
      buffer in
      let candidates = [512, 1024, 2048, 4096].filter { $0 >= smallest }
      let offset = candidates.first { pread(descriptor, buffer.baseAddress, $0, 0) >= 0 }
      guard let offset, let base = buffer.baseAddress else {
        _ = martlet_fcntl(descriptor, F_SETFL, Int(flags))
        return (1, 1)
      }
      let memory = [512, 1024, 2048].first { pread(descriptor, base + $0, offset, 0) >= 0 }
      return (offset, memory ?? largestAlignment)
    }
  }

  // MARK: System calls that may block

  /// Writes what the page cache holds to the disk. Returns 0 or an `errno`.
  func flush() -> Int32 { Self.retrying { fdatasync(descriptor) } }

  /// Gives the range's space back to the host. A host that cannot is no error. Returns 0 or an `errno`.
  func discard(offset: UInt64, byteCount: UInt64) -> Int32 {
    let code: Int32
    if isBlockDevice {
      code = deviceRange(BlockIoctl.discard, offset: offset, byteCount: byteCount)
    } else {
      let mode = Int32(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
      code = Self.retrying { martlet_fallocate(descriptor, mode, Int64(offset), Int64(byteCount)) }
    }
    return Self.meansUnsupported(code) ? 0 : code
  }

  /// Makes the range read as zeroes. Returns 0 or an `errno`.
  func writeZeroes(offset: UInt64, byteCount: UInt64) -> Int32 {
    let code: Int32
    if isBlockDevice {
      code = deviceRange(BlockIoctl.zeroOut, offset: offset, byteCount: byteCount)
    } else {
      let mode = Int32(FALLOC_FL_ZERO_RANGE)
      code = Self.retrying { martlet_fallocate(descriptor, mode, Int64(offset), Int64(byteCount)) }
    }
    return Self.meansUnsupported(code) ? writeZeroBytes(offset: offset, byteCount: byteCount) : code
  }

  private func deviceRange(_ request: UInt, offset: UInt64, byteCount: UInt64) -> Int32 {
    var range = (offset, byteCount)
    return Self.retrying { ioctl(descriptor, request, &range) }
  }

  /// Writes zeroes the ordinary way. The range must be aligned if the page cache is passed by.
  private func writeZeroBytes(offset: UInt64, byteCount: UInt64) -> Int32 {
    let chunk = 64 << 10
    return withUnsafeTemporaryAllocation(byteCount: chunk, alignment: Self.largestAlignment) { buffer in
      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      var done: UInt64 = 0
      while done < byteCount {
        let length = Int(min(UInt64(chunk), byteCount - done))
        let count = pwrite(descriptor, buffer.baseAddress, length, Int(offset + done))
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return count == 0 ? EIO : errno }
        done += UInt64(count)
      }
      return 0
    }
  }

  /// Runs `body` with the page cache in use although it is otherwise passed by. Nothing else may be under way.
  func withPageCache(_ body: () -> Int32) -> Int32 {
    let flags = martlet_fcntl(descriptor, F_GETFL, 0)
    guard flags >= 0, martlet_fcntl(descriptor, F_SETFL, Int(flags & ~martlet_O_DIRECT)) == 0 else {
      return errno
    }
    let code = body()
    return martlet_fcntl(descriptor, F_SETFL, Int(flags)) == 0 ? code : errno
  }

  private static func meansUnsupported(_ code: Int32) -> Bool {
    code == EOPNOTSUPP || code == ENOSYS || code == ENOTTY || code == EINVAL
  }

  private static func retrying(_ call: () -> Int32) -> Int32 {
    while call() != 0 {
      if errno != EINTR { return errno }
    }
    return 0
  }
}
