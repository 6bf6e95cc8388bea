// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Machine

/// A person's conversation over one character device: a banner, then a prompt for each command.
///
/// Everything happens with the machine's lock held.
final class HumanSession: CharacterReceiver {
  /// What scripts wait for.
  static let prompt = "(qemu) "
  static let banner = "Martlet \(MachineConfiguration.version) monitor - type 'help' for more information\r\n"

  private let port: any CharacterPort
  private let interpreter: HumanInterpreter
  private let completion: HumanCompletion
  private var editor = LineEditor(prompt: HumanSession.prompt)
  private var output = MonitorOutput()
  private var isOpen = false
  private var isSending = false
  /// What the password that is being typed is for; it returns what there is to tell.
  private var onPassword: ((String) -> String)?

  init(port: any CharacterPort, machine: Machine) {
    self.port = port
    interpreter = HumanInterpreter(machine: machine)
    completion = HumanCompletion(machine: machine)
    interpreter.history = { [unowned self] in editor.history.lines }
    interpreter.askForPassword = { [unowned self] in onPassword = $0 }
    port.receiver = self
  }

  // MARK: The terminal

  func characterPortOpened() {
    isOpen = true
    onPassword = nil
    interpreter.forget()
    output.removeAll()
    editor.reset()
    output.append(Self.banner)
    editor.begin(prompt: Self.prompt)
    flush()
  }

  func characterPortClosed() {
    isOpen = false
    onPassword = nil
    output.removeAll()
    editor.reset()
  }

  func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard isOpen, !interpreter.hasQuit else { return bytes.count }
    var taken = 0
    while taken < bytes.count, !output.isPaused, isOpen {
      let byte = bytes[taken]
      taken += 1
      switch editor.take(byte) {
      case .none: break
      case .complete(let text): complete(text)
      case .line(let line): run(line)
      }
      collect()
    }
    flush()
    return isOpen ? taken : bytes.count
  }

  func characterPortBecameWritable() {
    let wasPaused = output.isPaused
    flush()
    if wasPaused, !output.isPaused { port.receiverBecameReady() }
  }

  private func collect() {
    let bytes = editor.takeOutput()
    if !bytes.isEmpty { output.append(String(decoding: bytes, as: UTF8.self)) }
  }

  private func flush() {
    collect()
    // A port that closes while it is written to calls back.
    guard !isSending else { return }
    isSending = true
    output.send(to: port)
    isSending = false
  }

  // MARK: Lines

  private func run(_ line: String) {
    // The end of the line is on its way before a command that takes a while.
    flush()
    if let then = onPassword {
      onPassword = nil
      output.append(HumanInterpreter.ended(then(line)))
    } else {
      output.append(interpreter.run(line))
    }
    // The shell's prompt is the next.
    guard !interpreter.hasQuit else { return }
    if onPassword != nil {
      editor.begin(prompt: "Password: ", isSecret: true)
    } else {
      editor.begin(prompt: Self.prompt)
    }
  }

  private func complete(_ text: String) {
    let found = completion.completion(of: text)
    let certain = found.certain { $0.hasSuffix("/") ? "" : " " }
    if !certain.isEmpty {
      editor.insert(certain)
    } else if found.candidates.count > 1 {
      editor.interrupt(with: found.columns)
    }
  }
}
