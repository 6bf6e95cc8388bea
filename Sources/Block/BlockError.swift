// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// Why an image could not be opened.
public enum BlockError: Error, Equatable, CustomStringConvertible, Sendable {
  /// There is no such file.
  case missing(path: String, isReadOnly: Bool)
  /// It is a directory.
  case directory(path: String)
  /// It is neither a file nor a block device; `kind` says what it is.
  case notAnImage(path: String, kind: String)
  /// It holds nothing.
  case empty(path: String)
  /// It may not be read.
  case unreadable(path: String, code: Int32)
  /// It may be read but not written.
  case notWritable(path: String, code: Int32)
  /// It looks like an image of a format other than raw.
  case foreignFormat(path: String, format: ForeignFormat)
  /// Another process uses it in a way that forbids ours.
  case locked(path: String, wanted: String, holder: LockHolder?)
  /// `aio=native` with a cache mode that uses the page cache.
  case nativeNeedsDirect(path: String, cache: CacheMode)
  /// Its size cannot be changed.
  case fixedSize(path: String)
  /// It would become smaller than the guest believes it is.
  case shrinks(path: String, byteCount: UInt64)
  /// It is a block device of the host, which has no more room.
  case deviceTooSmall(path: String)
  /// Something else the host refused; `what` begins a sentence.
  case host(path: String, what: String, code: Int32)

  /// One or two sentences for a person: what happened, to what, and what to do about it.
  public var description: String {
    switch self {
    case .missing(let path, let isReadOnly):
      "'\(path)' does not exist"
        + (isReadOnly ? "" : "; an empty disk of 10 GiB is made with 'truncate -s 10G \(path)'")
    case .directory(let path):
      "'\(path)' is a directory, not a disk image"
    case .notAnImage(let path, let kind):
      "'\(path)' is \(kind), not a disk image or block device"
    case .empty(let path):
      "'\(path)' is empty; a disk needs at least one sector ('truncate -s 10G \(path)' makes one of 10 GiB)"
    case .unreadable(let path, let code):
      "'\(path)' cannot be opened: \(Self.reason(code))"
    case .notWritable(let path, let code):
      "'\(path)' cannot be opened for writing: \(Self.reason(code)); "
        + "use readonly=on if the guest need not write, or -snapshot to drop what it writes"
    case .foreignFormat(let path, let format):
      "'\(path)' is \(format.phrase); only raw images are supported: \(format.advice(path: path)) "
        + "(format=raw takes it as it is)"
    case .locked(let path, let wanted, let holder):
      "'\(path)' is in use by \(holder?.description ?? "another process"): cannot get the lock for \(wanted); "
        + "end that process, or use readonly=on in both"
    case .nativeNeedsDirect(let path, let cache):
      "'\(path)': aio=native needs cache=none or cache=directsync, not cache=\(cache.rawValue)"
    case .fixedSize(let path):
      "'\(path)': the size of this image cannot be changed"
    case .shrinks(let path, let byteCount):
      "'\(path)' has \(byteCount) bytes and cannot become smaller while the guest uses it"
    case .deviceTooSmall(let path):
      "'\(path)': cannot grow device files; make the device larger first"
    case .host(let path, let what, let code):
      "'\(path)': \(what): \(Self.reason(code))"
    }
  }

  /// The C library's words for an `errno`.
  private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
