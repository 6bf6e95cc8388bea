// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import GuestMemory

/// An engine that executes nothing: the guest's part is played from outside, through the qtest protocol, while time
/// stands still unless it is stepped.
///
/// The interrupt controllers and timers are the board's own (``InterruptPlatform``). The bootstrap processor's local APIC
/// is seen where that processor sees it; interrupts sent to it wait there for ever.
public final class QTestEngine: PlatformEngine {
  public var name: String { "qtest" }
  public let platform: any InterruptPlatform
  private let topology: CPUTopology
  private let listener = NoListener()
  private var isMade: Set<Int> = []

  /// An engine for a machine on `bus`.
  public init(bus: SystemBus, topology: CPUTopology, platform: any InterruptPlatform) {
    self.platform = platform
    self.topology = topology
    bus.memory.add(
      MemoryRegion(
        window: LocalAPICWindow(platform.localInterruptController(0)),
        base: GuestAddress(LocalAPICWindow.base), priority: 1))
  }

  public func makeVirtualCPU(index: Int) throws(EngineError) -> any VirtualCPU {
    guard index >= 0, index < topology.count, isMade.insert(index).inserted else {
      throw EngineError("there is no virtual CPU \(index) to make")
    }
    return IdleVirtualCPU(index: index, localAPIC: platform.localInterruptController(index))
  }

  public var memoryMapListener: any MemoryMapListener { listener }
}

/// Nobody needs a copy of the memory map: all accesses go through the bus.
private final class NoListener: MemoryMapListener {
  func memoryMapChanged(removed: [FlatRange], added: [FlatRange]) {}
  func dirtyTrackingChanged(of block: RAMBlock) {}
  func collectDirtyPages(of block: RAMBlock) {}
}
