// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU

/// KVM's 8254, with its counter 2 for port 0x61. Called with the machine's lock held.
///
/// KVM counts by the host's clock, whether or not a vCPU runs; what its counters showed when guest time stopped is kept
/// here and put back when it goes on. The chip is made when time first starts: once there is one, the kernel waits out
/// two grace periods (15 ms) when the VM ends, for nothing if the guest never ran.
final class KVMIntervalTimer: SpeakerGate {
  private let machine: KVMVirtualMachine
  private var isMade = false
  /// What it shows while guest time stands still; nil while time goes on.
  private var held: PlatformState.PIT? = powerOn
  /// GATE2, which only ``isGateOpen`` and the replacing of the state change.
  private var gate = false

  init(machine: KVMVirtualMachine) { self.machine = machine }

  /// As KVM has it after power-on (Linux, arch/x86/kvm/i8254.c, kvm_pit_reset): no mode, the longest count, and gates 0
  /// and 1 open, as a PC wires them.
  static let powerOn: PlatformState.PIT = {
    var state = PlatformState.PIT()
    for index in 0..<3 {
      state.channels[index].count = 0x10000
      state.channels[index].mode = 0xFF
      state.channels[index].gate = index == 2 ? 0 : 1
    }
    return state
  }()

  func state() throws(EngineError) -> PlatformState.PIT {
    if let held { return held }
    return PlatformState.PIT(try machine.timer(), now: KVMVirtualMachine.monotonicNanoseconds)
  }

  func setState(_ state: PlatformState.PIT) throws(EngineError) {
    if held != nil {
      held = state
    } else {
      try machine.setTimer(state.kvm(now: KVMVirtualMachine.monotonicNanoseconds))
    }
    gate = state.channels[2].gate != 0
  }

  /// Guest time goes on.
  func start() throws(EngineError) {
    guard let held else { return }
    if !isMade { try machine.createTimer() }
    isMade = true
    try machine.setTimer(held.kvm(now: KVMVirtualMachine.monotonicNanoseconds))
    self.held = nil
  }

  /// Guest time stops.
  func stop() {
    if held == nil { held = try? state() }
  }

  // MARK: Port 0x61

  var isGateOpen: Bool {
    get { gate }
    set {
      // KVM counts all three counters anew when its state is set: only when there is something to change.
      guard newValue != gate, var state = try? state() else { return }
      state.channels[2].gate = newValue ? 1 : 0
      try? setState(state)
    }
  }

  var output: Bool { (try? state())?.channels[2].output ?? false }
}
