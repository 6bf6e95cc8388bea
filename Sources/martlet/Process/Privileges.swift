// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import OptionSyntax

/// `-chroot` and `-runas`: what is given up when everything is open and before the guest runs.
struct Privileges {
  private let root: String?
  private let user: User?

  private struct User {
    let id: uid_t
    let group: gid_t
    /// For the groups the user is in; nil for numbers.
    let name: String?
  }

  /// - Parameters:
  ///   - root: the directory that becomes the root of the file system.
  ///   - user: a user's name, or UID:GID.
  init(root: String?, user: String?) throws(OptionError) {
    self.root = root
    self.user = if let user { try Self.find(user) } else { nil }
  }

  private static func find(_ text: String) throws(OptionError) -> User {
    if let entry = getpwnam(text) {
      return User(id: entry.pointee.pw_uid, group: entry.pointee.pw_gid, name: text)
    }
    let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
    guard numbers.count == 2, let id = numbers[0], let group = numbers[1] else {
      throw OptionError("-runas \(text): there is no such user; a name or UID:GID is what it takes")
    }
    return User(id: id, group: group, name: nil)
  }

  /// Gives them up for good.
  func drop() throws(OptionError) {
    if let root {
      guard chroot(root) == 0, chdir("/") == 0 else { throw Self.failure("-chroot \(root)") }
    }
    guard let user else { return }
    let groups = if let name = user.name { initgroups(name, user.group) } else { setgroups(1, [user.group]) }
    guard groups == 0, setgid(user.group) == 0, setuid(user.id) == 0 else { throw Self.failure("-runas") }
    guard user.id == 0 || setuid(0) != 0 else {
      throw OptionError("-runas: the process could become root again")
    }
  }

  private static func failure(_ option: String) -> OptionError {
    OptionError("\(option): \(String(cString: strerror(errno)))")
  }
}
