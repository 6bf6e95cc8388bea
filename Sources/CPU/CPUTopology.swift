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
}

/// What `-cpu` asks for: a model and changes to its features.
public struct CPUModelRequest: Equatable, Sendable {
  /// "host", "max", "qemu64", …
  public var model: String
  /// Features switched on.
  public var added: [String]
  /// Features switched off.
  public var removed: [String]
  /// A request.
  public init(model: String = "max", added: [String] = [], removed: [String] = []) {
    self.model = model
    self.added = added
    self.removed = removed
  }
}
