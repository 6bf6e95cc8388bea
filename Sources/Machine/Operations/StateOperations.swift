// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU

extension Machine {
  /// Saves the state of every device, interrupt controller and CPU, resets them all and gives each its state back: what
  /// happens to a machine that is saved and restored, with the memory and the host's ends of drives and networks left as
  /// they are. A guest must not notice. For whoever writes devices.
  ///
  /// Called on the event loop with the machine's lock held.
  /// - Throws: a sentence that names what could not take its state back, or has another one afterwards; the machine is
  ///   then paused, and only a reset can help it.
  public func roundTripState() throws(MachineError) {
    let wasRunning = state == .running
    if wasRunning { pause(as: .paused) }
    do {
      try board.devices.restoreAfterReset { () throws(EngineError) in
        let cpus = cpuThreads.map(\.cpu)
        let platform = try board.engine.savePlatform()
        var states: [CPUState] = []
        for cpu in cpus { states.append(try cpu.registers()) }
        for device in board.devices { device.reset() }
        for cpu in cpus { try cpu.reset() }
        try board.engine.resetPlatform()
        for (cpu, state) in zip(cpus, states) { try cpu.setRegisters(state) }
        try board.engine.restorePlatform(platform)
      }
    } catch {
      state = .internalError
      throw MachineError(error)
    }
    if wasRunning { resume() }
  }
}

extension [any Device] {
  /// Runs `body` and gives all their state back.
  fileprivate func restoreAfterReset(_ body: () throws -> Void) throws {
    let saved = map { SavedDevice($0) }
    try body()
    for device in saved { try device.restore() }
    for device in saved where !device.isAsItWas() {
      throw RestoreError("\(device.name) has another state than it had")
    }
  }
}

/// A device and its state.
private struct SavedDevice {
  let name: String
  let restore: () throws(RestoreError) -> Void
  let isAsItWas: () -> Bool

  init(_ device: some Device) {
    let state = device.save()
    name = device.deviceName
    restore = { () throws(RestoreError) in try device.restore(state) }
    isAsItWas = { device.save() == state }
  }
}
