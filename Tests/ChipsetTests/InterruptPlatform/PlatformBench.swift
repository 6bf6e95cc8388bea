// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import GuestMemory
import TestSupport

@testable import Chipset

/// A processor that only notes what its local APIC tells it. Its time stamp counter counts nanoseconds.
final class NotingProcessor: InterruptibleProcessor {
  var isRequested = false
  var nmis = 0
  var inits = 0
  var startups: [UInt8] = []
  private let clock: Clock
  var timeStampOffset: UInt64 = 0

  init(clock: Clock) { self.clock = clock }
  func interruptRequestChanged(isRaised: Bool) { isRequested = isRaised }
  func deliverNMI() { nmis += 1 }
  func deliverINIT() { inits += 1 }
  func deliverStartup(vector: UInt8) { startups.append(vector) }
  var timeStamp: UInt64 { clock.now &+ timeStampOffset }
}

/// The interrupt controllers and timers of a board with some processors, driven by their registers.
struct PlatformBench {
  let board: TestBoard
  let platform: PCInterruptPlatform
  let processors: [NotingProcessor]

  init(processorCount: Int = 2) throws {
    let board = try TestBoard(ramByteCount: 1 << 20)
    self.board = board
    platform = PCInterruptPlatform(clock: board.clock, apicIDs: (0..<processorCount).map { UInt32($0) })
    platform.map(ports: board.ports, memory: board.memory)
    processors = (0..<processorCount).map { _ in NotingProcessor(clock: board.clock) }
    for (index, processor) in processors.enumerated() {
      platform.localInterruptController(index).processor = processor
      platform.localInterruptController(index).reset()
    }
    platform.reset()
  }

  func apic(_ index: Int) -> any LocalInterruptController { platform.localInterruptController(index) }
  func acknowledge(_ index: Int = 0) -> UInt8? { apic(index).acknowledge() }
  func endOfInterrupt(_ index: Int = 0) { apic(index).writeRegister(0xB0, 0) }
  func line(_ number: Int, _ isRaised: Bool) {
    platform.interruptController.setInterruptLine(number, isRaised: isRaised)
  }

  /// Masks the 8259 pair and turns all local APICs on, as operating systems do: flat logical IDs 1, 2, 4 …, spurious vector
  /// 0xFF.
  func enableAll() {
    board.outb(0x21, 0xFF)
    board.outb(0xA1, 0xFF)
    for index in processors.indices {
      apic(index).writeRegister(0xE0, 0xFFFF_FFFF)
      apic(index).writeRegister(0xD0, 1 << UInt32(24 + index))
      apic(index).writeRegister(0xF0, 0x1FF)
    }
  }

  func readIOAPIC(_ register: UInt8) -> UInt32 {
    board.memory.write(GuestAddress(0xFEC0_0000 as UInt64), UInt64(register), .dword)
    return UInt32(truncatingIfNeeded: board.memory.read(GuestAddress(0xFEC0_0010 as UInt64), .dword))
  }

  func writeIOAPIC(_ register: UInt8, _ value: UInt32) {
    board.memory.write(GuestAddress(0xFEC0_0000 as UInt64), UInt64(register), .dword)
    board.memory.write(GuestAddress(0xFEC0_0010 as UInt64), UInt64(value), .dword)
  }

  /// Writes a redirection entry, masked first, as operating systems do.
  func redirect(_ input: UInt8, low: UInt32, destination: UInt8 = 0) {
    writeIOAPIC(0x10 + input * 2, 0x1_0000)
    writeIOAPIC(0x11 + input * 2, UInt32(destination) << 24)
    writeIOAPIC(0x10 + input * 2, low)
  }

  func send(_ index: Int, _ low: UInt32, to destination: UInt8 = 0) {
    apic(index).writeRegister(0x310, UInt32(destination) << 24)
    apic(index).writeRegister(0x300, low)
  }

  /// All states, as a machine saves them: through their encoded form.
  func transplant(to other: PlatformBench) throws -> Bool {
    for index in processors.indices {
      let registers = apic(index).savedRegisters
      other.apic(index).restore(
        registers: registers, base: apic(index).readMSR(0x1B) ?? 0, deadline: apic(index).readMSR(0x6E0) ?? 0)
    }
    return other.platform.restore(try roundTrip(platform.save()))
  }
}
