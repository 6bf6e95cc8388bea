// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import Glibc
import JSON
import Testing

@testable import Control

@Suite final class QMPDescriptorTests {
  private let files: ScratchDirectory
  private let client: QMPClient
  private var inodes: [Int32: ino_t] = [:]

  init() throws {
    files = try ScratchDirectory()
    client = try QMPClient()
  }

  private func inode(of descriptor: Int32) -> ino_t? {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? status.st_ino : nil
  }

  /// A descriptor, whose file nobody else has.
  private func noted(_ descriptor: Int32) -> Int32 {
    inodes[descriptor] = inode(of: descriptor)
    return descriptor
  }

  /// A descriptor of no socket.
  private func end() -> Int32 {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return -1 }
    close(ends[0])
    return noted(ends[1])
  }

  /// Whether one of those is still open: its number may have become another test's.
  private func isOpen(_ descriptor: Int32) -> Bool {
    inode(of: descriptor).map { $0 == inodes[descriptor] } ?? false
  }

  /// A file with a set of its own, whose number no other test has.
  private func passed(_ name: String, set: Int, _ flags: Int32 = O_RDONLY) throws -> Int32 {
    let descriptor = noted(open(try files.file(name, byteCount: 4096), flags))
    client.descriptors = [descriptor]
    let answer = client.value("add-fd", ["fdset-id": JSONValue(set), "opaque": .string(name)])
    #expect(answer == ["fd": JSONValue(Int(descriptor)), "fdset-id": JSONValue(set)])
    return descriptor
  }

  @Test func setsComeOverTheMonitor() throws {
    #expect(client.error("add-fd") == "No file descriptor supplied via SCM_RIGHTS")
    let descriptor = try passed("disc", set: 501)
    let set = client.value("query-fdsets")?.array?.first { $0["fdset-id"] == 501 }
    #expect(set?["fds"] == [["fd": JSONValue(Int(descriptor)), "opaque": "disc"]])
    // What is opened from a set outlives it.
    let node: JSONValue = [
      "driver": "raw", "node-name": "d", "read-only": true,
      "file": ["driver": "file", "filename": "/dev/fdset/501"],
    ]
    #expect(client.value("blockdev-add", node) == [:])
    #expect(client.value("remove-fd", ["fdset-id": 501, "fd": JSONValue(Int(descriptor))]) == [:])
    #expect(!isOpen(descriptor))
    #expect(client.value("query-named-block-nodes")?.array?.first?["image"]?["virtual-size"] == 4096)
    #expect(client.value("blockdev-del", ["node-name": "d"]) == [:])
    #expect(client.error("remove-fd", ["fdset-id": 501])?.contains("not found") == true)
    // A set that may only be read cannot hold a disk that is written.
    _ = try passed("read-only", set: 502)
    #expect(
      client.error("blockdev-add", ["driver": "file", "node-name": "w", "filename": "/dev/fdset/502"]) != nil)
    #expect(client.value("remove-fd", ["fdset-id": 502]) == [:])
    client.descriptors = [end()]
    let refused = client.descriptors[0]
    #expect(
      client.error("add-fd", ["fdset-id": -1]) == "Parameter 'fdset-id' expects a non-negative value")
    #expect(!isOpen(refused))
  }

  @Test func aLogGoesToASet() throws {
    let descriptor = try passed("log", set: 503, O_WRONLY | O_APPEND)
    defer { _ = client.value("remove-fd", ["fdset-id": 503]) }
    let backEnd: JSONValue = [
      "type": "ringbuf", "data": ["logfile": "/dev/fdset/503", "logappend": true],
    ]
    #expect(client.value("chardev-add", ["id": "r", "backend": backEnd]) == [:])
    #expect(isOpen(descriptor))
  }

  @Test func namesAreForSockets() throws {
    var pair: [Int32] = [-1, -1]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    defer { close(pair[1]) }
    _ = noted(pair[0])
    let second = end()
    client.descriptors = [pair[0], second]
    #expect(client.value("getfd", ["fdname": "line"]) == [:])
    // One at a time: what else came is closed.
    #expect(!isOpen(second))
    func backEnd(_ name: String) -> JSONValue {
      [
        "type": "socket",
        "data": ["addr": ["type": "fd", "data": ["str": .string(name)]], "server": false],
      ]
    }
    #expect(
      client.error("chardev-add", ["id": "x", "backend": backEnd("what")])
        == "File descriptor named 'what' has not been found")
    #expect(client.value("chardev-add", ["id": "c", "backend": backEnd("line")]) == [:])
    #expect(isOpen(pair[0]))
    #expect(client.value("chardev-remove", ["id": "c"]) == [:])
    #expect(!isOpen(pair[0]))
    #expect(client.error("closefd", ["fdname": "line"]) == "File descriptor named 'line' not found")
    // What is no socket is refused, and closed.
    let file = end()
    client.descriptors = [file]
    #expect(client.value("getfd", ["fdname": "file"]) == [:])
    #expect(client.error("chardev-add", ["id": "c", "backend": backEnd("file")]) != nil)
    #expect(!isOpen(file))
    let wrong = end()
    client.descriptors = [wrong]
    #expect(
      client.error("getfd", ["fdname": "1st"])
        == "Parameter 'fdname' expects a name not starting with a digit")
    #expect(!isOpen(wrong))
    let kept = end()
    client.descriptors = [kept]
    #expect(client.value("getfd", ["fdname": "kept"]) == [:])
    #expect(client.value("closefd", ["fdname": "kept"]) == [:])
    #expect(!isOpen(kept))
  }
}
