// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Machine

/// Does the commands of the human monitor, a line each. Called on the event loop with the machine's lock held.
final class HumanInterpreter {
  /// A longer line is refused.
  static let longestLine = 4095

  let machine: Machine
  /// The CPU that `x`, `p` and `info registers` are about.
  var currentCPU = 0
  /// Asks the person for a password, and tells what becomes of it; nil if there is no person.
  var askForPassword: ((_ then: @escaping (String) -> String) -> Void)?
  /// Whether the machine has been told to end.
  var hasQuit = false
  /// What `x` and `p` leave out is as it was before.
  private var lastFormat = DumpFormat()
  /// What was typed before, for `info history`; sessions keep it.
  var history: () -> [String] = { [] }

  init(machine: Machine) { self.machine = machine }

  /// Does what a line says.
  /// - Returns: what there is to tell, each line ended by CR LF; nothing if all went well and nothing was asked.
  func run(_ line: String) -> String { Self.ended(answer(to: line)) }

  /// Text with its lines ended by CR LF.
  static func ended(_ text: String) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count + text.utf8.count / 16)
    for byte in text.utf8 {
      if byte == 0x0A { result.append(0x0D) }
      result.append(byte)
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// Another person is there.
  func forget() {
    currentCPU = 0
    lastFormat = DumpFormat()
  }

  private func answer(to line: String) -> String {
    guard line.utf8.count <= Self.longestLine else { return "the line is too long\n" }
    var output = HumanOutput()
    var reader = LineReader(line)
    var words: [String] = []
    do {
      guard let command = try Self.command(in: &reader, words: &words) else { return "" }
      let arguments = try HumanArguments.read(&reader, for: command, lastFormat: &lastFormat) {
        name throws(HumanError) in try value(ofRegister: name)
      }
      try command.run(arguments, self, &output)
      return output.text
    } catch HumanError.usage(let message) {
      return output.text + "\(message)\nTry \"help \(words.joined(separator: " "))\" for more information\n"
    } catch HumanError.plain(let message) {
      return output.text + message + "\n"
    } catch HumanError.failed(let message) {
      return output.text + "Error: \(message)\n"
    } catch HumanError.outputIsFull {
      return output.text + "\n... the answer is cut off after \(HumanOutput.limit) bytes\n"
    } catch {
      return output.text + "Error: \(error)\n"
    }
  }

  /// The command at the start of a line; nil if the line is empty.
  private static func command(in line: inout LineReader, words: inout [String]) throws(HumanError)
    -> HumanCommand?
  {
    line.skipSpaces()
    // "x/4" is "x /4".
    let name = line.take { !LineReader.isSpace($0) && $0 != UInt8(ascii: "/") }
    guard !name.isEmpty || !line.isAtEnd else { return nil }
    words = [name]
    guard let command = HumanCommands.byName[name] else { throw .plain("unknown command: '\(name)'") }
    guard name == "info" else { return command }
    line.skipSpaces()
    let topic = line.take { !LineReader.isSpace($0) && $0 != UInt8(ascii: "/") }
    guard !topic.isEmpty else { return command }
    words.append(topic)
    guard let found = HumanCommands.topicsByName[topic] else {
      throw .plain("unknown command: 'info \(topic)'")
    }
    return found
  }

  /// The registers of the current CPU.
  func registers() throws -> CPUState { try machine.registers(ofCPU: currentCPU) }

  private func value(ofRegister name: String) throws(HumanError) -> UInt64? {
    guard RegisterNames.all.contains(name) else { return nil }
    do throws(MachineError) {
      return RegisterNames.value(of: name, in: try machine.registers(ofCPU: currentCPU))
    } catch { throw .failed("\(error)") }
  }
}
