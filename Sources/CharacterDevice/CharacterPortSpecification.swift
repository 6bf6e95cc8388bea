// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import OptionSyntax

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
  case file(path: String, appends: Bool = false)
  /// `pipe:PATH`: the FIFOs `PATH.in` and `PATH.out`, or `PATH` for both.
  case pipe(path: String)
  /// `pty`: a new pseudo-terminal.
  case pty
  /// `unix:PATH,…` and `tcp:HOST:PORT,…`.
  case socket(SocketSettings)
  /// `ringbuf`: kept in memory for monitors to read.
  case ringBuffer(byteCount: Int)

  /// `…,logfile=PATH,logappend=on`: what the guest writes is also kept in a file.
  indirect case logged(CharacterPortSpecification, path: String, appends: Bool)

  /// This, with the log that `list` asks for (`logfile=`, `logappend=`), if it does.
  public func withLog(_ list: inout PropertyList) throws(OptionError) -> CharacterPortSpecification {
    let path = list.take("logfile")
    let appends = try list.takeFlag("logappend")
    guard let path else {
      guard appends == nil else { throw OptionError("\(list.option): logappend= belongs to a logfile=") }
      return self
    }
    guard !path.isEmpty else { throw OptionError("\(list.option): logfile= is empty") }
    return .logged(self, path: path, appends: appends ?? false)
  }

  /// This, without a log.
  public var unlogged: CharacterPortSpecification {
    if case .logged(let port, _, _) = self { port } else { self }
  }

  // MARK: Parsing

  private static let words = [
    "none", "null", "stdio", "mon:stdio", "pty", "vc", "file:PATH", "pipe:PATH", "unix:PATH", "tcp:HOST:PORT",
    "telnet:HOST:PORT", "ringbuf",
  ]
  /// What QEMU knows besides, with the nearest that there is here.
  private static let foreign = [
    "websocket": "tcp:HOST:PORT", "udp": "tcp:HOST:PORT", "mon": "mon:stdio",
    "msmouse": "null", "braille": "null", "con": "stdio", "/dev/": "file:PATH",
  ]

  /// Reads a specification in QEMU's syntax.
  public static func parse(_ text: String) throws(CharacterPortError) -> CharacterPortSpecification {
    // What several share is opened as it is alone, but Ctrl-C is for them.
    if text.hasPrefix("mon:"), text != "mon:stdio" { return try parse(String(text.dropFirst(4))) }
    switch text {
    case "none": return .none
    case "null", "vc": return .null
    case "stdio", "stdio,signal=on": return .stdio(keepsSignals: true)
    case "stdio,signal=off", "mon:stdio": return .stdio(keepsSignals: false)
    case "pty": return .pty
    default: break
    }
    if text.hasPrefix("vc:") { return .null }
    if let port = try socket(text) { return port }
    if text == "ringbuf" || text.hasPrefix("ringbuf,") { return try ringBuffer(text) }
    for (prefix, make) in [("file:", { .file(path: $0) }), ("pipe:", { .pipe(path: $0) })]
      as [(String, (String) -> CharacterPortSpecification)]
    {
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

  /// `unix:PATH,…`, `tcp:HOST:PORT,…`, `telnet:HOST:PORT,…` and `fd:N,…`, with what follows the commas as QEMU has it.
  private static func socket(_ text: String) throws(CharacterPortError) -> CharacterPortSpecification? {
    let isUnix = text.hasPrefix("unix:")
    let isTelnet = text.hasPrefix("telnet:")
    guard isUnix || isTelnet || text.hasPrefix("tcp:") || text.hasPrefix("fd:") else { return nil }
    do throws(OptionError) {
      var list = try PropertyList(text, option: "character device '\(text)'", implied: "where")
      let place = String((list.take("where") ?? "").drop { $0 != ":" }.dropFirst())
      let address: SocketSettings.Address
      if isUnix {
        guard !place.isEmpty else { throw OptionError("'unix:' lacks the path of the socket") }
        address = .unix(path: place, isAbstract: try list.takeFlag("abstract") ?? false)
      } else if text.hasPrefix("fd:") {
        guard let number = PassedSockets.current.descriptor(place) else {
          throw OptionError("'\(text)': \(PassedSockets.current.reason(for: place))")
        }
        address = .descriptor(number)
      } else {
        guard let colon = place.lastIndex(of: ":"), let port = UInt16(place[place.index(after: colon)...])
        else {
          throw OptionError(
            "'\(text)' is incomplete: it is written '\(isTelnet ? "telnet" : "tcp"):HOST:PORT'")
        }
        address = .tcp(host: place[..<colon].filter { $0 != "[" && $0 != "]" }, port: port)
      }
      let port = try Self.socket(SocketSettings(&list, address: address, isTelnet: isTelnet)).withLog(&list)
      try list.finish()
      return port
    } catch { throw .wrong("\(error)") }
  }

  private static func ringBuffer(_ text: String) throws(CharacterPortError) -> CharacterPortSpecification {
    do throws(OptionError) {
      var list = try PropertyList(text, option: "character device '\(text)'", implied: "kind")
      _ = list.take("kind")
      let size = try list.takeInteger("size", in: 1...(64 << 20)) ?? 65536
      guard size & (size - 1) == 0 else { throw OptionError("ringbuf: size=\(size) must be a power of two") }
      try list.finish()
      return .ringBuffer(byteCount: size)
    } catch { throw .wrong("\(error)") }
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

  /// What monitors call it.
  public var label: String {
    switch self {
    case .none: "none"
    case .null: "null"
    case .stdio: "stdio"
    case .file(let path, _): "file:\(path)"
    case .pipe(let path): "pipe:\(path)"
    case .pty: "pty"
    case .socket(let settings): settings.label
    case .logged(let port, _, _): port.label
    case .ringBuffer: "ringbuf"
    }
  }

  // MARK: Opening

  /// Opens the port; nil for ``none``.
  /// - Parameter loop: where input and room for output are waited for. Its lock is held by the caller.
  public func open(loop: EventLoop) throws(CharacterPortError) -> (any CharacterPort)? {
    do {
      switch self {
      case .none: return nil
      case .null: return NullCharacterPort()
      case .stdio(let keepsSignals):
        guard StandardIO.take() else { throw CharacterPortError.standardIOTaken }
        return try DescriptorPort(
          channel: StandardIO.channel(keepsSignals: keepsSignals), loop: loop)
      case .file(let path, let appends):
        let flags = O_WRONLY | O_CREAT | (appends ? O_APPEND : O_TRUNC) | O_NONBLOCK | O_NOCTTY
        return try DescriptorPort(channel: DescriptorChannel(output: Self.open(path, flags)), loop: loop)
      case .pipe(let path):
        return try DescriptorPort(channel: Self.openPipes(path), loop: loop)
      case .pty:
        let (channel, path) = try PseudoTerminal.make()
        return try DescriptorPort(channel: channel, peerPath: path, loop: loop)
      case .socket(let settings): return try SocketPort(settings, loop: loop)
      case .logged(let specification, let path, let appends):
        guard let port = try specification.open(loop: loop) else { return nil }
        do {
          return try LoggedPort(port, path: path, appends: appends)
        } catch {
          port.close()
          throw error
        }
      case .ringBuffer(let byteCount): return RingBufferPort(capacity: byteCount, keepsNewest: true)
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
    let descriptor = DescriptorSets.open(path, flags | O_CLOEXEC, 0o666)
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
