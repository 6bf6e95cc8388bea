// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice

/// A client's conversation in QEMU's test protocol: a line with a command, a line with its answer, and between them what
/// the interrupt lines do that it listens to.
///
/// Everything happens with the machine's lock held.
final class QTestSession: CharacterReceiver {
  /// The longest line: a block in hexadecimal digits, and the words before it.
  static let lineLimit = QTestInterpreter.blockLimit * 2 + 256
  private let port: any CharacterPort
  private let target: any QTestTarget
  private let log: QTestLog?
  /// How much may wait for a client that does not read before it misses changes of interrupt lines.
  private let changeLimit: Int
  private var interpreter: QTestInterpreter
  private var line: [UInt8] = []
  private var isLineTooLong = false
  private var output = MonitorOutput()
  private var isSending = false
  private var isOpen = false
  /// The levels as the client knows them.
  private var levels: UInt32 = 0

  init(port: any CharacterPort, target: any QTestTarget, log: QTestLog?, changeLimit: Int = 32 << 20) {
    self.changeLimit = changeLimit
    self.port = port
    self.target = target
    self.log = log
    interpreter = QTestInterpreter(target: target)
    port.receiver = self
  }

  // MARK: The client

  func characterPortOpened() {
    forget()
    levels = 0
    isOpen = true
    log?.opened()
  }

  func characterPortClosed() {
    guard isOpen else { return }
    isOpen = false
    forget()
    log?.closed()
  }

  private func forget() {
    line = []
    isLineTooLong = false
    output.removeAll()
  }

  func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    var rest = bytes
    while !rest.isEmpty, !output.isPaused {
      let end = rest.firstIndex(of: 0x0A)
      take(UnsafeRawBufferPointer(rebasing: rest[..<(end ?? rest.count)]))
      guard let end else { return bytes.count }
      rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
      lineEnded()
    }
    return bytes.count - rest.count
  }

  private func take(_ bytes: UnsafeRawBufferPointer) {
    guard !isLineTooLong, line.count + bytes.count <= Self.lineLimit else {
      isLineTooLong = true
      line = []
      return
    }
    line.append(contentsOf: bytes)
  }

  private func lineEnded() {
    if isLineTooLong {
      isLineTooLong = false
      return send(Array("FAIL a line has \(Self.lineLimit) bytes at most".utf8))
    }
    let words = QTestWords(line)
    line.removeAll(keepingCapacity: line.count <= 65536)
    log?.received(words.line)
    let answer = interpreter.answer(to: words)
    listen()
    send(answer)
  }

  func characterPortBecameWritable() {
    let wasPaused = output.isPaused
    flush()
    if wasPaused, !output.isPaused { port.receiverBecameReady() }
  }

  // MARK: Output

  private func send(_ answer: [UInt8]) {
    log?.sent(answer)
    output.append(answer)
    output.append("\n")
    flush()
  }

  private func flush() {
    // A port that closes while it is written to calls back.
    guard !isSending else { return }
    isSending = true
    output.send(to: port)
    isSending = false
  }

  // MARK: Interrupt lines

  private var isListening = false

  private func listen() {
    guard !isListening, let chip = interpreter.intercepted else { return }
    isListening = true
    target.observeInterruptLines { [unowned self] number, isRaised in
      if number < chip.inputCount { lineChanged(number, isRaised) }
    }
  }

  private func lineChanged(_ number: Int, _ isRaised: Bool) {
    let bit = (1 as UInt32) << UInt32(number)
    guard (levels & bit != 0) != isRaised else { return }
    levels ^= bit
    guard isOpen, output.count < changeLimit else { return }
    send(Array("IRQ \(isRaised ? "raise" : "lower") \(number)".utf8))
  }
}
