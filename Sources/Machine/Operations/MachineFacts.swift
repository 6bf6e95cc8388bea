// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import PCI

/// What is to be known about a running machine. Called with the machine's lock held.
extension Machine {
  /// A virtual CPU and where it runs.
  public struct CPUFacts: Sendable {
    public let index: Int
    public let socket: Int
    public let core: Int
    public let thread: Int
    /// The host thread; 0 before it has started.
    public let hostThread: Int32
  }

  /// The most virtual CPUs there can be: as many as have an 8-bit APIC ID.
  public static let maximumCPUCount = 255

  /// The virtual CPUs, in their order.
  public var cpus: [CPUFacts] {
    let topology = configuration.topology
    return cpuThreads.map { thread in
      let index = thread.cpu.index
      return CPUFacts(
        index: index, socket: index / (topology.cores * topology.threads),
        core: index / topology.threads % topology.cores, thread: index % topology.threads,
        hostThread: thread.hostThread)
    }
  }

  /// The engine: "kvm" or "soft".
  public var engineName: String { board.engine.name }

  /// The functions on the PCI bus, in the order of their addresses.
  public var pciFunctions: [PCIFunction] { board.pci.functions }

  /// The devices, as the state file names them.
  public var deviceNames: [String] { board.devices.map(\.deviceName) }
}
