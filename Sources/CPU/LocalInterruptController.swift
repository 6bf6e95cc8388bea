// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// A local APIC as the processor it belongs to sees it, for engines that do not bring their own. Called with
/// the machine's lock held.
public protocol LocalInterruptController: AnyObject {
  /// Who is told of interrupts, set once.
  var processor: (any InterruptibleProcessor)? { get set }
  /// The page the registers are at; nil if they are not in memory (disabled, x2APIC mode).
  var registerPage: UInt64? { get }
  /// Whether it is on at all (IA32_APIC_BASE bit 11).
  var isEnabled: Bool { get }
  /// INTA: takes the interrupt to be delivered next, from here or from the 8259 pair; nil if there is none.
  func acknowledge() -> UInt8?
  /// CR8: the upper four bits of the task priority register.
  var taskPriority: UInt8 { get set }
  /// Reads a register by its offset in the page; offsets that are no register read 0.
  func readRegister(_ offset: Int) -> UInt32
  /// Writes a register.
  func writeRegister(_ offset: Int, _ value: UInt32)
  /// IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC's registers 0x800 … 0x8FF; nil if there is none.
  func readMSR(_ number: UInt32) -> UInt64?
  /// Sets one of them; false if the value is not allowed or there is none.
  func writeMSR(_ number: UInt32, _ value: UInt64) -> Bool
  /// The processor's time stamp counter was set: a deadline comes sooner or later than it would have.
  func timeStampChanged()
  /// The 64 register words of a saved state.
  var savedRegisters: [UInt32] { get }
  /// Takes over what ``savedRegisters`` and the two MSRs were.
  func restore(registers: [UInt32], base: UInt64, deadline: UInt64)
  /// Brings it to its state after RESET#.
  func reset()
}

/// A processor as its local APIC sees it. Called from any thread, with the machine's lock held.
public protocol InterruptibleProcessor: AnyObject {
  /// There is, or no longer is, an interrupt to acknowledge.
  func interruptRequestChanged(isRaised: Bool)
  func deliverNMI()
  func deliverINIT()
  func deliverStartup(vector: UInt8)
  /// The time stamp counter, for the deadline timer.
  var timeStamp: UInt64 { get }
}

/// The interrupt controllers and timers of the board, for engines that do not bring their own.
public protocol InterruptPlatform: AnyObject {
  var interruptController: any InterruptSink { get }
  var speakerGate: any SpeakerGate { get }
  /// The local APIC of the vCPU with an index.
  func localInterruptController(_ index: Int) -> any LocalInterruptController
  func reset()
  func save() -> PlatformState
  /// The local controllers are restored before: what a state has yet to deliver goes to them. False if it is damaged.
  func restore(_ state: PlatformState) -> Bool
  func sendMessage(address: UInt64, data: UInt32)
}
