// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import Testing

@testable import EventLoop

@Suite final class DescriptorSetsTests {
  private var inodes: [Int32: ino_t] = [:]

  private func inode(of descriptor: Int32) -> ino_t? {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? status.st_ino : nil
  }

  /// A descriptor of something that nobody else has.
  private func own() -> Int32 {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return -1 }
    close(ends[0])
    inodes[ends[1]] = inode(of: ends[1])
    return ends[1]
  }

  /// Whether one of those is still open: its number may have become another test's.
  private func isOpen(_ descriptor: Int32) -> Bool {
    inode(of: descriptor).map { $0 == inodes[descriptor] } ?? false
  }

  private func null(_ flags: Int32) -> Int32 { martlet_open("/dev/null", flags | O_CLOEXEC, 0) }

  @Test func setsAreNumberedAndClosed() throws {
    let sets = DescriptorSets()
    let (first, second, third) = (own(), own(), own())
    #expect(try sets.add(first, to: nil, opaque: "a") == 0)
    #expect(try sets.add(second, to: 0, opaque: nil) == 0)
    #expect(try sets.add(third, to: nil, opaque: nil) == 1)
    #expect(sets.all.map(\.number) == [0, 1] && sets.all[0].members.count == 2)
    #expect(sets.all[0].members[0].opaque == "a")
    try sets.remove(set: 0, descriptor: first)
    #expect(!isOpen(first) && isOpen(second))
    let missing = #expect(throws: DescriptorSets.Failure.self) { try sets.remove(set: 0, descriptor: first) }
    #expect(missing?.description == "File descriptor named 'fdset-id:0, fd:\(first)' not found")
    try sets.remove(set: 0, descriptor: nil)
    #expect(!isOpen(second))
    #expect(throws: DescriptorSets.Failure.self) { try sets.remove(set: 7, descriptor: nil) }
    #expect(sets.all.map(\.number) == [1])
  }

  @Test func namesAreForOneUse() throws {
    let sets = DescriptorSets()
    let (first, second) = (own(), own())
    try sets.keep(first, as: "a")
    try sets.keep(second, as: "a")
    #expect(!isOpen(first) && sets.has("a"))
    struct Wrong: Error {}
    // Whoever fails leaves it to be closed.
    #expect(throws: Wrong.self) { _ = try sets.lend("a") { _ in throw Wrong() } }
    #expect(!isOpen(second) && sets.take("a") == nil)
    #expect(sets.lend("a", to: { $0 }) == nil)
    let third = own()
    try sets.keep(third, as: "b")
    #expect(sets.take("b") == third && isOpen(third))
    close(third)
  }

  @Test func thereAreOnlySoMany() throws {
    var last: [Int32] = []
    do {
      let sets = DescriptorSets()
      for _ in 0..<DescriptorSets.limit {
        last.append(own())
        _ = try sets.add(last.last ?? -1, to: 3, opaque: nil)
      }
      let (more, named) = (own(), own())
      #expect(throws: DescriptorSets.Failure.self) { try sets.add(more, to: nil, opaque: nil) }
      #expect(throws: DescriptorSets.Failure.self) { try sets.keep(named, as: "x") }
      #expect(!isOpen(more) && !isOpen(named))
    }
    #expect(!isOpen(last.last ?? -1))
  }

  @Test func aSetIsOpenedByTheKindOfAccess() throws {
    let sets = DescriptorSets.current
    let set = try sets.add(null(O_RDONLY), to: nil, opaque: nil)
    _ = try sets.add(null(O_WRONLY), to: set, opaque: nil)
    defer { try? sets.remove(set: set, descriptor: nil) }
    let path = "/dev/fdset/\(set)"
    #expect(DescriptorSets.isSet(path) && !DescriptorSets.isSet("/dev/null"))
    let reader = DescriptorSets.open(path, O_RDONLY, 0)
    #expect(martlet_fcntl(reader, F_GETFL, 0) & O_ACCMODE == O_RDONLY)
    #expect(martlet_fcntl(reader, F_GETFD, 0) & FD_CLOEXEC != 0)
    close(reader)
    let writer = DescriptorSets.open(path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC, 0o600)
    #expect(martlet_fcntl(writer, F_GETFL, 0) & O_APPEND != 0)
    close(writer)
    #expect(DescriptorSets.open(path, O_RDWR, 0) == -1 && errno == EACCES)
    #expect(DescriptorSets.open("/dev/fdset/\(set + 1000)", O_RDONLY, 0) == -1 && errno == ENOENT)
    for wrong in ["", "-1", "x", "1/2", "99999999999999999999999"] {
      #expect(DescriptorSets.open("/dev/fdset/\(wrong)", O_RDONLY, 0) == -1 && errno == EINVAL)
    }
    let plain = DescriptorSets.open("/dev/null", O_RDONLY | O_CLOEXEC, 0)
    #expect(plain >= 0)
    close(plain)
  }
}
