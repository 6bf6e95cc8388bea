// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// The interrupt controllers. Called on the event loop with the machine's lock held.
extension Machine {
  /// The state of the 8259 pair, the IOAPIC and the 8254.
  public func interruptControllers() throws(MachineError) -> PlatformState {
    parkCPUs()
    defer { if state == .running { letCPUsGoOn() } }
    do throws(EngineError) { return try board.engine.savePlatform() } catch { throw MachineError(error) }
  }

  /// How often devices have raised each input of the interrupt controllers. What a chip inside the engine raises
  /// (the 8254) is not among it.
  public var interruptCounts: [UInt64] { board.interruptCounts }
}
