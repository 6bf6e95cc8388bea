// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU

/// Counter 2 of KVM's 8254, for port 0x61. Called with the machine's lock held.
final class KVMSpeakerGate: SpeakerGate {
  private let machine: KVMVirtualMachine
  /// GATE2, which only ``isGateOpen`` and the restoring of a state change.
  private var gate = false

  init(machine: KVMVirtualMachine) { self.machine = machine }

  var isGateOpen: Bool {
    get { gate }
    set {
      // KVM counts all three counters anew when its state is set: only when there is something to change.
      guard newValue != gate, var state = try? machine.timer() else { return }
      state.channels.2.gate = newValue ? 1 : 0
      guard (try? machine.setTimer(state)) != nil else { return }
      gate = newValue
    }
  }

  var output: Bool {
    guard let state = try? machine.timer() else { return false }
    return PlatformState.PIT.Channel(state.channels.2, now: KVMVirtualMachine.monotonicNanoseconds).output
  }

  /// Learns the gate's position after the 8254's state was replaced.
  func refresh() { gate = ((try? machine.timer())?.channels.2.gate ?? 0) != 0 }
}
