// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import Synchronization

/// Descriptors that a toolstack has opened and passed to the process: in numbered sets, of which `/dev/fdset/N` takes the
/// one that fits, and by names, each for one use.
///
/// They are the process's, as all descriptors are, and closed by whoever takes them out.
public final class DescriptorSets: Sendable {
  /// One descriptor of a set.
  public struct Member: Sendable, Equatable {
    public let descriptor: Int32
    /// What the toolstack says about it; it is nothing to us.
    public let opaque: String?
  }

  /// What could not be done, as a sentence.
  public struct Failure: Error, CustomStringConvertible, Equatable {
    public let description: String
  }

  private struct Content {
    var sets: [Int: [Member]] = [:]
    var named: [String: Int32] = [:]
    var count: Int { sets.values.reduce(named.count) { $0 + $1.count } }
  }

  /// Those of the process.
  public static let current = DescriptorSets()
  /// More are not kept: what is left must do for everything else.
  public static let limit = 256

  private let content = Mutex(Content())

  init() {}

  deinit {
    content.withLock { content in
      for member in content.sets.values.joined() { Glibc.close(member.descriptor) }
      for descriptor in content.named.values { Glibc.close(descriptor) }
    }
  }

  // MARK: Sets

  /// Adds a descriptor to a set, which it owns from now on; if it is refused, it is closed.
  /// - Parameter set: the set's number; nil for the lowest that is free.
  /// - Returns: the set's number.
  public func add(_ descriptor: Int32, to set: Int?, opaque: String?) throws(Failure) -> Int {
    let number = content.withLock { content -> Int? in
      guard content.count < Self.limit else { return nil }
      var number = set ?? 0
      if set == nil { while content.sets[number] != nil { number += 1 } }
      content.sets[number, default: []].append(Member(descriptor: descriptor, opaque: opaque))
      return number
    }
    guard let number else {
      Glibc.close(descriptor)
      throw Failure(description: "there are \(Self.limit) file descriptors already")
    }
    return number
  }

  /// Closes a descriptor of a set, or all of them. What was opened from it stays open.
  public func remove(set: Int, descriptor: Int32?) throws(Failure) {
    let closed = content.withLock { content -> [Member]? in
      guard let members = content.sets[set] else { return nil }
      let closed = members.filter { descriptor == nil || $0.descriptor == descriptor }
      let rest = members.filter { !closed.contains($0) }
      content.sets[set] = rest.isEmpty ? nil : rest
      return closed
    }
    guard let closed, !closed.isEmpty else {
      let which = descriptor.map { ", fd:\($0)" } ?? ""
      throw Failure(description: "File descriptor named 'fdset-id:\(set)\(which)' not found")
    }
    for member in closed { Glibc.close(member.descriptor) }
  }

  /// All sets, by number.
  public var all: [(number: Int, members: [Member])] {
    content.withLock { content in
      content.sets.sorted { $0.key < $1.key }.map { (number: $0.key, members: $0.value) }
    }
  }

  // MARK: Names

  /// Keeps a descriptor by name, which it owns from now on; another of that name is closed.
  public func keep(_ descriptor: Int32, as name: String) throws(Failure) {
    let refused = content.withLock { content -> (isFull: Bool, old: Int32?) in
      guard content.named[name] != nil || content.count < Self.limit else { return (true, nil) }
      return (false, content.named.updateValue(descriptor, forKey: name))
    }
    if let old = refused.old { Glibc.close(old) }
    guard !refused.isFull else {
      Glibc.close(descriptor)
      throw Failure(description: "there are \(Self.limit) file descriptors already")
    }
  }

  /// Takes the descriptor with a name out; it is the caller's from now on. Nil if there is none.
  public func take(_ name: String) -> Int32? {
    content.withLock { $0.named.removeValue(forKey: name) }
  }

  /// Hands the descriptor with a name to `body`, which owns it from now on, unless it throws: then it is closed.
  /// - Returns: nil if there is none of that name.
  public func lend<Result, Failure: Error>(
    _ name: String, to body: (Int32) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard let descriptor = take(name) else { return nil }
    var before = stat()
    fstat(descriptor, &before)
    do throws(Failure) { return try body(descriptor) } catch {
      // It may have been closed already, and the number may be another file's.
      var now = stat()
      if fstat(descriptor, &now) == 0, now.st_dev == before.st_dev, now.st_ino == before.st_ino {
        Glibc.close(descriptor)
      }
      throw error
    }
  }

  /// Whether there is a descriptor of that name.
  public func has(_ name: String) -> Bool { content.withLock { $0.named[name] != nil } }

  // MARK: Opening

  private static let prefix = "/dev/fdset/"

  /// Opens a path, as open(2): `/dev/fdset/N` is a copy of the descriptor in that set which is open for the same kind of
  /// access.
  /// - Returns: a descriptor, or -1 with `errno`.
  public static func open(_ path: String, _ flags: Int32, _ mode: UInt32) -> Int32 {
    guard path.hasPrefix(prefix) else { return martlet_open(path, flags, mode) }
    let code = current.duplicate(path.dropFirst(prefix.count), flags)
    guard code < 0 else { return code }
    errno = -code
    return -1
  }

  /// Whether a path names a set.
  public static func isSet(_ path: String) -> Bool { path.hasPrefix(prefix) }

  /// A copy of the descriptor that fits; negative: an `errno`.
  private func duplicate(_ text: Substring, _ flags: Int32) -> Int32 {
    guard let number = Int(text), number >= 0 else { return -EINVAL }
    return content.withLock { content in
      guard let members = content.sets[number] else { return -ENOENT }
      for member in members {
        let found = martlet_fcntl(member.descriptor, F_GETFL, 0)
        guard found >= 0, found & O_ACCMODE == flags & O_ACCMODE else { continue }
        let copy = martlet_fcntl(member.descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { return -errno }
        // What can be changed of an open file is as it was asked for.
        let changeable = O_APPEND | O_NONBLOCK | martlet_O_DIRECT
        _ = martlet_fcntl(copy, F_SETFL, Int(found & ~changeable | flags & changeable))
        return copy
      }
      return -EACCES
    }
  }
}
