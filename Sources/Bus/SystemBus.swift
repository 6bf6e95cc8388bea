// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import GuestMemory

/// What a CPU is wired to: ports, memory, and the lock that guards both.
public final class SystemBus: @unchecked Sendable {
  // Unchecked: `ports` and `memory` are used with `lock` held; the references never change.
  /// The machine's lock.
  public let lock: MachineLock
  /// The I/O ports.
  public let ports: PortSpace
  /// The memory addresses.
  public let memory: MemorySpace

  /// A bus with nothing on it.
  public init(lock: MachineLock, ports: PortSpace = PortSpace(), memory: MemorySpace = MemorySpace()) {
    self.lock = lock
    self.ports = ports
    self.memory = memory
  }
}
