// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import TextEncoding

/// The commands of QEMU's test protocol: what each does to the machine and what it answers.
struct QTestInterpreter {
  /// The most bytes one command reads, writes or fills.
  static let blockLimit = 16 << 20
  /// The most moments at which devices' timers are due that one command passes.
  static let deadlineLimit = 1 << 22

  let target: any QTestTarget
  /// The chip whose inputs the client listens to.
  private(set) var intercepted: Machine.InterruptChip?

  init(target: any QTestTarget) { self.target = target }

  /// Does what a line says.
  /// - Returns: the answer, without the end of the line.
  mutating func answer(to words: QTestWords) -> [UInt8] {
    do throws(QTestError) {
      return try run(words)
    } catch {
      return Array("FAIL \(error.message)".utf8)
    }
  }

  private mutating func run(_ words: QTestWords) throws(QTestError) -> [UInt8] {
    switch words.command {
    case "outb": return try out(words, byteCount: 1)
    case "outw": return try out(words, byteCount: 2)
    case "outl": return try out(words, byteCount: 4)
    case "inb": return try input(words, byteCount: 1)
    case "inw": return try input(words, byteCount: 2)
    case "inl": return try input(words, byteCount: 4)
    case "writeb": return try write(words, byteCount: 1)
    case "writew": return try write(words, byteCount: 2)
    case "writel": return try write(words, byteCount: 4)
    case "writeq": return try write(words, byteCount: 8)
    case "readb": return try read(words, byteCount: 1)
    case "readw": return try read(words, byteCount: 2)
    case "readl": return try read(words, byteCount: 4)
    case "readq": return try read(words, byteCount: 8)
    case "read": return try readBlock(words, prefix: "OK 0x", HexText.append)
    case "b64read": return try readBlock(words, prefix: "OK ", Base64Text.append)
    case "write": return try writeHexadecimal(words)
    case "b64write": return try writeBase64(words)
    case "memset": return try fill(words)
    case "irq_intercept_in", "irq_intercept_out": return try intercept(words)
    case "set_irq_in": return try setInput(words)
    case "clock_step" where target.isTimeStepped: return try step(words)
    case "clock_set" where target.isTimeStepped: return try setClock(words)
    case "endianness": return Self.ok("little")
    // There are no modules; QEMU answers the same when it finds none.
    case "module_load": return Array("FAIL".utf8)
    default: throw QTestError("Unknown command '\(words.command)'")
    }
  }

  private static func ok(_ value: String? = nil) -> [UInt8] {
    Array((value.map { "OK \($0)" } ?? "OK").utf8)
  }

  // MARK: Ports

  private func port(_ words: QTestWords) throws(QTestError) -> UInt16 {
    guard let port = UInt16(exactly: try words.number(1)) else {
      throw QTestError("there is no port above 0xffff")
    }
    return port
  }

  private func out(_ words: QTestWords, byteCount: Int) throws(QTestError) -> [UInt8] {
    let value = UInt32(truncatingIfNeeded: try words.number(2))
    target.writePort(try port(words), value, byteCount: byteCount)
    return Self.ok()
  }

  private func input(_ words: QTestWords, byteCount: Int) throws(QTestError) -> [UInt8] {
    let value = target.readPort(try port(words), byteCount: byteCount)
    return Self.ok(HexText.number(UInt64(value) & ~0 >> UInt64(64 - byteCount * 8), width: 4))
  }

  // MARK: Memory

  private func write(_ words: QTestWords, byteCount: Int) throws(QTestError) -> [UInt8] {
    target.writeBus(try words.number(1), try words.number(2), byteCount: byteCount)
    return Self.ok()
  }

  private func read(_ words: QTestWords, byteCount: Int) throws(QTestError) -> [UInt8] {
    let value = target.readBus(try words.number(1), byteCount: byteCount)
    return Self.ok(HexText.number(value, width: 16))
  }

  /// How many bytes a block has.
  private func count(_ words: QTestWords) throws(QTestError) -> Int {
    let count = try words.number(2)
    guard count <= UInt64(Self.blockLimit) else {
      throw QTestError("a block has \(Self.blockLimit) bytes at most")
    }
    return Int(count)
  }

  private func readBlock(
    _ words: QTestWords, prefix: String, _ encode: ([UInt8], inout [UInt8]) -> Void
  ) throws(QTestError) -> [UInt8] {
    let (address, count) = (try words.number(1), try count(words))
    guard count > 0 else { throw QTestError("there is nothing to read") }
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { target.readBus(address, into: $0) }
    var text = Array(prefix.utf8)
    encode(bytes, &text)
    return text
  }

  private func writeBlock(_ address: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    bytes.withUnsafeBytes { target.writeBus(address, from: $0) }
    return Self.ok()
  }

  private func writeHexadecimal(_ words: QTestWords) throws(QTestError) -> [UInt8] {
    let (address, count, data) = (try words.number(1), try count(words), try words.bytes(3))
    guard data.count >= 3 else { return Array("ERR invalid argument size".utf8) }
    guard data.starts(with: [0x30, 0x78]) || data.starts(with: [0x30, 0x58]),
      let bytes = HexText.bytes(data.dropFirst(2), count: count)
    else { throw QTestError("the data are not hexadecimal digits after 0x") }
    return writeBlock(address, bytes)
  }

  private func writeBase64(_ words: QTestWords) throws(QTestError) -> [UInt8] {
    let (address, count, data) = (try words.number(1), try count(words), try words.bytes(3))
    guard data.count >= 3 else { return Array("ERR invalid argument size".utf8) }
    return writeBlock(address, Base64Text.bytes(data, count: count))
  }

  private func fill(_ words: QTestWords) throws(QTestError) -> [UInt8] {
    let (address, count) = (try words.number(1), try count(words))
    let pattern = UInt8(truncatingIfNeeded: try words.number(3))
    return writeBlock(address, [UInt8](repeating: pattern, count: count))
  }

  // MARK: Interrupt lines

  /// The chip with an object's path: only the name at the end is looked at, as QEMU does with a path that is not complete.
  private func chip(_ words: QTestWords) throws(QTestError) -> Machine.InterruptChip {
    let path = try words.text(1)
    let name = path.split(separator: "/").last ?? ""
    guard target.hasOwnInterruptChips else { throw QTestError("Unknown device") }
    switch name {
    case "ioapic": return .ioapic
    case "i8259", "isa-i8259", "pic": return .pic
    default: throw QTestError("Unknown device")
    }
  }

  private mutating func intercept(_ words: QTestWords) throws(QTestError) -> [UInt8] {
    let chip = try chip(words)
    guard intercepted == nil || intercepted == chip else {
      throw QTestError("IRQ intercept already enabled")
    }
    // Neither chip has an output that a test could listen to.
    if words.command == "irq_intercept_in" { intercepted = chip }
    return Self.ok()
  }

  private func setInput(_ words: QTestWords) throws(QTestError) -> [UInt8] {
    let chip = try chip(words)
    guard try words.text(2) == "unnamed-gpio-in" else { throw QTestError("there are no inputs of that name") }
    let (number, level) = (try words.number(3), try words.number(4))
    guard number < UInt64(chip.inputCount) else { throw QTestError("there is no such input") }
    target.setInterruptInput(of: chip, Int(number), isRaised: level != 0)
    return Self.ok()
  }

  // MARK: Time

  private func step(_ words: QTestWords) throws(QTestError) -> [UInt8] {
    let now = target.guestTime
    guard words.has(1) else { return try moveClock(to: target.nextDeadline ?? now) }
    let nanoseconds = Int64(bitPattern: try words.number(1))
    guard nanoseconds > 0 else { return try moveClock(to: now) }
    return try moveClock(to: min(now &+ UInt64(nanoseconds), UInt64(Int64.max)))
  }

  private func setClock(_ words: QTestWords) throws(QTestError) -> [UInt8] {
    let time = Int64(bitPattern: try words.number(1))
    return try moveClock(to: time > 0 ? UInt64(time) : 0)
  }

  private func moveClock(to time: UInt64) throws(QTestError) -> [UInt8] {
    guard target.advanceTime(to: time, deadlineLimit: Self.deadlineLimit) else {
      throw QTestError(
        "too many timers were due on the way; the clock stands at \(target.guestTime)")
    }
    return Self.ok("\(target.guestTime)")
  }
}
