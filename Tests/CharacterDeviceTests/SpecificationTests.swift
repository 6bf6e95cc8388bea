// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import Testing

@testable import CharacterDevice

@Suite struct SpecificationTests {
  private static let understood: [(String, CharacterPortSpecification)] = [
    ("none", .none), ("null", .null), ("vc", .null), ("vc:80Cx24C", .null),
    ("stdio", .stdio(keepsSignals: true)), ("stdio,signal=off", .stdio(keepsSignals: false)),
    ("mon:stdio", .stdio(keepsSignals: false)), ("pty", .pty), ("file:/tmp/a,b:c", .file(path: "/tmp/a,b:c")),
    ("pipe:x", .pipe(path: "x")),
  ]

  @Test(arguments: understood)
  func understands(text: String, expected: CharacterPortSpecification) throws {
    #expect(try CharacterPortSpecification.parse(text) == expected)
  }

  @Test func telnetAndLogs() throws {
    var settings = SocketSettings(address: .tcp(host: "h", port: 23))
    (settings.isServer, settings.waitsForClient, settings.isTelnet) = (true, false, true)
    #expect(try CharacterPortSpecification.parse("telnet:h:23,server,nowait") == .socket(settings))
    #expect(
      try CharacterPortSpecification.parse("tcp:h:23,telnet=on,server=on,wait=off").label
        == "telnet:h:23,server=on")
    #expect(
      try CharacterPortSpecification.parse("telnet:h:23,server,nowait,logfile=/l,,x,logappend=on")
        == .logged(.socket(settings), path: "/l,x", appends: true))
    for wrong in [
      "telnet:h", "tcp:h:1,websocket=on", "tcp:h:1,tls-creds=x", "tcp:h:1,logappend=on", "unix:/x,logfile=",
    ] {
      #expect(throws: CharacterPortError.self, "\(wrong)") { try CharacterPortSpecification.parse(wrong) }
    }
  }

  private static let refused: [(String, CharacterPortError)] = [
    ("sdtio", .unknown(text: "sdtio", nearest: "stdio")), ("nul", .unknown(text: "nul", nearest: "null")),
    ("flie:x", .unknown(text: "flie:x", nearest: "file:PATH")), ("", .unknown(text: "", nearest: "vc")),
    ("udp::4444", .unsupported(text: "udp::4444", nearest: "tcp:HOST:PORT")),
    ("/dev/ttyS0", .unsupported(text: "/dev/ttyS0", nearest: "file:PATH")),
    ("file:", .malformed(text: "file:", expected: "file:PATH")),
    ("file", .malformed(text: "file", expected: "file:PATH")),
  ]

  @Test(arguments: refused)
  func refuses(text: String, expected: CharacterPortError) {
    let error = #expect(throws: CharacterPortError.self) { try CharacterPortSpecification.parse(text) }
    #expect(error == expected)
  }

  @Test func writesToAFile() throws {
    let harness = try PortHarness()
    let path = "/var/tmp/martlet-serial-\(getpid())"
    defer { unlink(path) }
    for text in ["first\n", "2nd\n"] {
      let port = try harness.lock.withLock {
        try CharacterPortSpecification.file(path: path).open(loop: harness.loop)
      }
      #expect(harness.write(try #require(port), Array(text.utf8)) == text.utf8.count)
      let descriptor = martlet_open(path, O_RDONLY, 0)
      #expect(readAll(descriptor) == Array(text.utf8))
      close(descriptor)
      harness.lock.withLock { port?.close() }
    }
    let error = #expect(throws: CharacterPortError.self) {
      try CharacterPortSpecification.file(path: "/nonexistent/x").open(loop: harness.loop)
    }
    #expect(error?.description == "cannot open '/nonexistent/x': No such file or directory")
  }

  @Test func speaksThroughPipes() throws {
    let harness = try PortHarness()
    let path = "/var/tmp/martlet-pipe-\(getpid())"
    for end in [".in", ".out"] { mkfifo(path + end, 0o600) }
    defer { for end in [".in", ".out"] { unlink(path + end) } }
    let opened = try harness.lock.withLock {
      try CharacterPortSpecification.pipe(path: path).open(loop: harness.loop)
    }
    let port = try #require(opened)
    let receiver = RecordingReceiver()
    port.receiver = receiver
    let typing = martlet_open(path + ".in", O_WRONLY | O_NONBLOCK, 0)
    let screen = martlet_open(path + ".out", O_RDONLY | O_NONBLOCK, 0)
    Glibc.write(typing, "ls", 2)
    #expect(harness.run { receiver.received == Array("ls".utf8) })
    #expect(harness.write(port, [1, 2]) == 2)
    #expect(readAll(screen, limit: 2) == [1, 2])
    close(typing)
    close(screen)
    harness.lock.withLock { port.close() }
  }

  @Test func rawModeKeepsOutputProcessing() {
    var original = termios()
    original.c_iflag = tcflag_t(ICRNL | IXON)
    original.c_oflag = tcflag_t(OPOST | ONLCR)
    original.c_lflag = tcflag_t(ICANON | ECHO | ISIG)
    let raw = TerminalMode.raw(from: original, keepsSignals: true)
    #expect(raw.c_iflag == 0 && raw.c_oflag == original.c_oflag)
    #expect(raw.c_lflag == tcflag_t(ISIG))
    #expect(TerminalMode.raw(from: original, keepsSignals: false).c_lflag == 0)
    var control = raw.c_cc
    let (time, minimum) = withUnsafeBytes(of: &control) { ($0[Int(VTIME)], $0[Int(VMIN)]) }
    #expect(time == 0 && minimum == 1)
  }
}
