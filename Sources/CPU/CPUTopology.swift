// SPDX-License-Identifier: GPL-2.0-or-later

/// How the virtual CPUs are arranged, as `-smp` says and CPUID reports.
public struct CPUTopology: Equatable, Sendable {
  /// CPU packages.
  public var sockets: Int
  /// Cores in each package.
  public var cores: Int
  /// Threads in each core.
  public var threads: Int
  /// An arrangement; each number is at least 1.
  public init(sockets: Int = 1, cores: Int = 1, threads: Int = 1) {
    self.sockets = max(1, sockets)
    self.cores = max(1, cores)
    self.threads = max(1, threads)
  }
  /// The number of virtual CPUs.
  public var count: Int { sockets * cores * threads }

  /// Bits of the APIC ID that number a thread in its core (SDM volume 3, section 9.9).
  public var threadBits: Int { Self.bits(for: threads) }
  /// Bits of the APIC ID, above ``threadBits``, that number a core in its package.
  public var coreBits: Int { Self.bits(for: cores) }
  /// The APIC ID of the virtual CPU with an index: package, core and thread, each in a field of its own,
  /// which leaves gaps where a number is not a power of two.
  public func apicID(of index: Int) -> UInt32 {
    let thread = index % threads
    let core = index / threads % cores
    let socket = index / threads / cores
    return UInt32(truncatingIfNeeded: (socket << coreBits | core) << threadBits | thread)
  }

  private static func bits(for count: Int) -> Int { Int.bitWidth - (count - 1).leadingZeroBitCount }
}
