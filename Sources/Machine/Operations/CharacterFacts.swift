// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice

/// The host's ends of serial lines, consoles and monitors. Called with the machine's lock held.
extension Machine {
  /// A character device.
  public struct CharacterDeviceFacts: Sendable, Equatable {
    public let label: String
    /// What it is and, of a socket, whether somebody is connected: "disconnected:unix:/x,server=on".
    public let description: String
    /// Whether somebody in the machine uses it.
    public let isOpen: Bool
  }

  /// All character devices.
  public var characterDevices: [CharacterDeviceFacts] {
    board.characterPorts.facts.map { .init(label: $0.label, description: $0.name, isOpen: $0.isOpen) }
  }

  /// Opens one more.
  public func addCharacterDevice(_ configuration: CharacterDeviceConfiguration) throws(MachineError)
    -> CharacterDeviceFacts
  {
    do throws(CharacterPortError) {
      let facts = try board.characterPorts.add(configuration)
      return .init(label: facts.label, description: facts.name, isOpen: facts.isOpen)
    } catch { throw MachineError(error) }
  }

  /// Has another back end take the place of one.
  public func changeCharacterDevice(_ configuration: CharacterDeviceConfiguration) throws(MachineError)
    -> CharacterDeviceFacts
  {
    do throws(CharacterPortError) {
      let facts = try board.characterPorts.change(configuration)
      return .init(label: facts.label, description: facts.name, isOpen: facts.isOpen)
    } catch { throw MachineError(error) }
  }

  /// Closes one that nobody uses.
  public func removeCharacterDevice(_ label: String) throws(MachineError) {
    do throws(CharacterPortError) { try board.characterPorts.remove(label) } catch {
      throw MachineError(error)
    }
  }

  /// Sends the front end of one a break, as from the other side.
  public func sendBreak(toCharacterDevice label: String) throws(MachineError) {
    do throws(CharacterPortError) { try board.characterPorts.sendBreak(to: label) } catch {
      throw MachineError(error)
    }
  }

  /// What was written to a ring buffer, taken out, at most `count` bytes.
  public func readRingBuffer(_ label: String, count: Int) throws(MachineError) -> [UInt8] {
    Array(try ringBuffer(label).takeOutput(limit: count))
  }

  /// Writes to a ring buffer as if the guest did.
  public func writeRingBuffer(_ label: String, _ bytes: [UInt8]) throws(MachineError) {
    let buffer = try ringBuffer(label)
    _ = bytes.withUnsafeBytes { buffer.write($0) }
  }

  private func ringBuffer(_ label: String) throws(MachineError) -> RingBufferPort {
    guard let buffer = board.characterPorts.ringBuffer(label) else {
      let isThere = board.characterPorts.facts.contains { $0.label == label }
      throw MachineError(
        isThere ? "\(label) is not a ringbuf device" : "Device '\(label)' not found")
    }
    return buffer
  }
}
