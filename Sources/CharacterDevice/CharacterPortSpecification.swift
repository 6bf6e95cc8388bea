// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Where a serial line, parallel port or debug console ends on the host, as written on the command line
/// (`-serial`, `-parallel`, `-debugcon`).
public enum CharacterPortSpecification: Equatable, Sendable {
  /// `none`: the guest has no such device at all.
  case none
  /// `null`: a device connected to nothing. `vc`, a console in a window, is the same: there is no window.
  case null
  /// `stdio`: the terminal. Without signals (`stdio,signal=off`, `mon:stdio`), Ctrl-C goes to the guest.
  case stdio(keepsSignals: Bool)
  /// `file:PATH`: output to a file, made anew; no input.
  case file(path: String)
  /// `pipe:PATH`: the FIFOs `PATH.in` and `PATH.out`, or `PATH` for both.
  case pipe(path: String)
  /// `pty`: a new pseudo-terminal.
  case pty

  // MARK: Parsing

  private static let words = ["none", "null", "stdio", "mon:stdio", "pty", "vc", "file:PATH", "pipe:PATH"]
  /// What QEMU knows besides, with the nearest that there is here.
  private static let foreign = [
    "unix": "pty", "tcp": "pty", "telnet": "pty", "websocket": "pty", "udp": "pty", "chardev": "stdio",
    "mon": "mon:stdio", "msmouse": "null", "braille": "null", "con": "stdio", "/dev/": "file:PATH",
  ]

  /// Reads a specification in QEMU's syntax.
  public static func parse(_ text: String) throws(CharacterPortError) -> CharacterPortSpecification {
    switch text {
    case "none": return .none
    case "null", "vc": return .null
    case "stdio", "stdio,signal=on": return .stdio(keepsSignals: true)
    case "stdio,signal=off", "mon:stdio": return .stdio(keepsSignals: false)
    case "pty": return .pty
    default: break
    }
    if text.hasPrefix("vc:") { return .null }
    for (prefix, make) in [("file:", Self.file(path:)), ("pipe:", Self.pipe(path:))] {
      let name = String(prefix.dropLast())
      if text.hasPrefix(prefix) || text == name {
        let path = String(text.dropFirst(prefix.count))
        guard !path.isEmpty else { throw .malformed(text: text, expected: "\(name):PATH") }
        return make(path)
      }
    }
    if let (_, nearest) = foreign.first(where: {
      text == $0.key || text.hasPrefix($0.key) && isBoundary(text, $0.key)
    }) {
      throw .unsupported(text: text, nearest: nearest)
    }
    let word = text.prefix { $0 != ":" && $0 != "," }
    let nearest = words.min { distance(word, $0) < distance(word, $1) } ?? "stdio"
    throw .unknown(text: text, nearest: nearest)
  }

  private static func isBoundary(_ text: String, _ prefix: String) -> Bool {
    prefix.hasSuffix("/") || [":", ","].contains(text.dropFirst(prefix.count).first)
  }

  /// The number of letters to add, drop or change to make a word of another (Levenshtein), compared with the part
  /// before a colon.
  private static func distance(_ word: Substring, _ candidate: String) -> Int {
    let candidate = candidate.hasSuffix(":PATH") ? candidate.dropLast(5) : candidate[...]
    var row = Array(0...candidate.count)
    for (i, a) in word.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in candidate.enumerated() {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a == b ? 0 : 1))
        diagonal = above
      }
    }
    return row[candidate.count]
  }

  // MARK: Opening

  /// Opens the port; nil for ``none``.
  /// - Parameters:
  ///   - loop: where input and room for output are waited for. Its lock is held by the caller.
  ///   - onEscape: if given, Ctrl-A sequences typed at the terminal are told to it and kept from the guest
  ///     (`mon:stdio`, `-nographic`).
  public func open(loop: EventLoop, onEscape: ((ConsoleEscape) -> Void)? = nil) throws(CharacterPortError)
    -> (any CharacterPort)?
  {
    do {
      switch self {
      case .none: return nil
      case .null: return NullCharacterPort()
      case .stdio(let keepsSignals):
        guard StandardIO.take() else { throw CharacterPortError.standardIOTaken }
        return try DescriptorPort(
          channel: StandardIO.channel(keepsSignals: keepsSignals), escapes: onEscape.map(EscapeFilter.init),
          loop: loop)
      case .file(let path):
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY
        return try DescriptorPort(channel: DescriptorChannel(output: Self.open(path, flags)), loop: loop)
      case .pipe(let path):
        return try DescriptorPort(channel: Self.openPipes(path), loop: loop)
      case .pty:
        let (channel, path) = try PseudoTerminal.make()
        return try DescriptorPort(channel: channel, peerPath: path, loop: loop)
      }
    } catch let error as HostError {
      throw .host(what: error.what, code: error.code)
    } catch let error as CharacterPortError {
      throw error
    } catch {
      throw .host(what: "cannot open a character device", code: EIO)
    }
  }

  private static func open(_ path: String, _ flags: Int32) throws(HostError) -> Int32 {
    let descriptor = martlet_open(path, flags | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw HostError("cannot open '\(path)'") }
    return descriptor
  }

  /// Opened for both directions, a FIFO has no end of file, and its other side may come and go.
  private static func openPipes(_ path: String) throws(HostError) -> DescriptorChannel {
    let flags = O_RDWR | O_NONBLOCK | O_NOCTTY
    guard access(path + ".in", F_OK) == 0 else {
      let both = try open(path, flags)
      return DescriptorChannel(input: both, output: both)
    }
    let input = try open(path + ".in", flags)
    do {
      return DescriptorChannel(input: input, output: try open(path + ".out", flags))
    } catch {
      close(input)
      throw error
    }
  }
}
