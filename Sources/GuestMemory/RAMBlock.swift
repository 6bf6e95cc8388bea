// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// Why host memory for the guest could not be had.
public enum RAMBlockError: Error, Equatable, CustomStringConvertible, Sendable {
  /// A size of zero or not a multiple of 4 KiB.
  case badSize(name: String, byteCount: Int)
  /// The host refused; `code` is the `errno`.
  case host(name: String, byteCount: Int, what: String, code: Int32)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .badSize(let name, let byteCount):
      "memory '\(name)' of \(byteCount) bytes: the size must be a multiple of 4096 and not zero"
    case .host(let name, let byteCount, let what, let code):
      "cannot get \(byteCount >> 10) KiB of memory for '\(name)': \(what): \(String(cString: strerror(code)))"
    }
  }
}

/// A piece of host memory that the guest sees as RAM, ROM or video memory, zero-filled at the start.
///
/// It is mapped for as long as the object lives; guest pages are touched, and so cost the host memory,
/// only when used.
public final class RAMBlock: @unchecked Sendable {
  // Unchecked: the bytes are guest memory, shared with running vCPUs by nature; the dirty bitmap and
  // `onDeviceWrite` are guarded by the machine's lock.

  /// How the host memory is obtained.
  public struct Backing: Sendable, Equatable {
    /// Backed by a memfd, so that another process can map it (vhost-user, live upgrade).
    public var isShared: Bool
    /// On 2 MiB huge pages of the host (hugetlbfs); fails if the host has too few.
    public var usesHugePages: Bool
    /// All pages are obtained before the guest starts.
    public var isPreallocated: Bool
    /// The host may keep pages of equal contents once (KSM).
    public var isMergeable = false
    /// Memory as described; by default private, on ordinary pages, obtained when touched.
    public init(isShared: Bool = false, usesHugePages: Bool = false, isPreallocated: Bool = false) {
      self.isShared = isShared
      self.usesHugePages = usesHugePages
      self.isPreallocated = isPreallocated
    }
  }

  /// The size of a guest page, the unit of mapping and of dirty tracking.
  public static let pageSize = 4096

  /// What it is, for messages and the memory tree: "pc.ram".
  public let name: String
  /// The size in bytes, a multiple of ``pageSize``.
  public let byteCount: Int
  /// Where the host has it mapped. Stays valid as long as the block lives.
  public let hostAddress: UnsafeMutableRawPointer
  /// The memfd behind a shared block, else nil.
  public let descriptor: Int32?
  /// One bit a page, set by device writes and collected from the engine's log. See ``DirtyBitmap``.
  public let dirty: DirtyBitmap

  /// Told of each write by a device (DMA, not the guest's own stores) before it takes place, with the
  /// machine's lock held: an engine that keeps decoded code must know.
  public var onDeviceWrite: ((_ byteOffset: Int, _ count: Int) -> Void)?

  private let mappedByteCount: Int

  /// Obtains the memory.
  public init(name: String, byteCount: Int, backing: Backing = Backing()) throws(RAMBlockError) {
    guard byteCount > 0, byteCount % Self.pageSize == 0 else {
      throw .badSize(name: name, byteCount: byteCount)
    }
    let hugePageSize = 2 << 20
    let length = backing.usesHugePages ? (byteCount + hugePageSize - 1) & ~(hugePageSize - 1) : byteCount
    var flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    var descriptor: Int32?
    if backing.isShared {
      let memfdFlags = MFD_CLOEXEC | (backing.usesHugePages ? MFD_HUGETLB : 0)
      let fd = martlet_memfd_create(name, UInt32(memfdFlags))
      guard fd >= 0 else { throw .host(name: name, byteCount: length, what: "memfd_create", code: errno) }
      guard ftruncate(fd, length) == 0 else {
        let code = errno
        close(fd)
        throw .host(name: name, byteCount: length, what: "sizing the memfd", code: code)
      }
      descriptor = fd
      flags = MAP_SHARED | MAP_NORESERVE
    } else if backing.usesHugePages {
      flags |= MAP_HUGETLB
    }
    if backing.isPreallocated || backing.usesHugePages { flags &= ~MAP_NORESERVE }
    if backing.isPreallocated { flags |= MAP_POPULATE }
    guard
      let mapped = mmap(nil, length, PROT_READ | PROT_WRITE, flags, descriptor ?? -1, 0), mapped != MAP_FAILED
    else {
      let code = errno
      if let descriptor { close(descriptor) }
      let what = backing.usesHugePages ? "mapping huge pages (see /proc/sys/vm/nr_hugepages)" : "mmap"
      throw .host(name: name, byteCount: length, what: what, code: code)
    }
    if !backing.usesHugePages && byteCount >= hugePageSize {
      // Transparent huge pages where the host has them; a refusal costs only speed.
      madvise(mapped, length, MADV_HUGEPAGE)
    }
    // A core dump of the emulator is not to hold the guest's memory.
    madvise(mapped, length, MADV_DONTDUMP)
    if backing.isMergeable { madvise(mapped, length, MADV_MERGEABLE) }
    self.name = name
    self.byteCount = byteCount
    self.hostAddress = mapped
    self.descriptor = descriptor
    self.mappedByteCount = length
    self.dirty = DirtyBitmap(pageCount: byteCount / Self.pageSize)
  }

  deinit {
    munmap(hostAddress, mappedByteCount)
    if let descriptor { close(descriptor) }
  }

  /// The bytes `offset ..< offset + count`, or nil if they are not all inside the block.
  @inlinable
  public func bytes(at offset: Int, count: Int) -> UnsafeMutableRawBufferPointer? {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else { return nil }
    return UnsafeMutableRawBufferPointer(start: hostAddress + offset, count: count)
  }

  /// All bytes.
  @inlinable
  public var allBytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: hostAddress, count: byteCount)
  }
}
