// SPDX-License-Identifier: GPL-2.0-or-later

/// How much of the host's page cache is used, and when a write is done (`cache=`).
public enum CacheMode: String, Sendable, Codable, CaseIterable {
  /// Through the page cache; durable when the guest flushes.
  case writeback
  /// Past the page cache (`O_DIRECT`); durable when the guest flushes.
  case none
  /// Through the page cache; every write is durable before it is done.
  case writethrough
  /// Past the page cache; every write is durable before it is done.
  case directsync
  /// Through the page cache; the guest's flushes do nothing. A crash of the host loses data.
  case unsafe

  /// Whether the page cache is passed by.
  public var isDirect: Bool { self == .none || self == .directsync }
  /// Whether a write is durable when it completes.
  public var isWriteThrough: Bool { self == .writethrough || self == .directsync }
}

/// How requests reach the host's kernel (`aio=`).
public enum AsynchronousIO: String, Sendable, Codable, CaseIterable {
  /// System calls on worker threads.
  case threads
  /// Linux's asynchronous I/O (libaio); needs a cache mode that is direct.
  case native
}

/// What a guest's discard does (`discard=`).
public enum DiscardMode: String, Sendable, Codable, CaseIterable {
  /// Nothing.
  case ignore
  /// Space on the host is given back.
  case unmap
}

/// How an image is opened.
public struct BlockOptions: Sendable, Equatable {
  /// The cache mode; QEMU's default.
  public var cache = CacheMode.writeback
  /// How requests reach the kernel; nil: `native` for direct cache modes where the host can, else `threads`.
  public var aio: AsynchronousIO?
  /// What discards do; QEMU's default is to ignore them.
  public var discard = DiscardMode.ignore
  /// Whether writes are refused. The file is then opened for reading only.
  public var isReadOnly = false
  /// Whether the image is locked against other emulators (`file.locking=`).
  public var isLocked = true
  /// Whether others may write to the image at the same time (`share-rw=`).
  public var sharesWrites = false
  /// Whether the user said `format=raw`: an image that looks like another format is then taken as it is.
  public var isFormatGiven = false

  /// The defaults, with the most often changed ones at hand.
  public init(cache: CacheMode = .writeback, isReadOnly: Bool = false) {
    self.cache = cache
    self.isReadOnly = isReadOnly
  }
}
