// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// What a person or toolstack does with the machine as a whole. Called on the event loop with the machine's lock held.
extension Machine {
  /// What happens when the guest asks for something that ends most machines (`-no-reboot`, `-no-shutdown`, `set-action`).
  public struct Actions: Sendable, Equatable {
    /// A reset by the guest ends the machine.
    public var endsOnReset = false
    /// A power-off by the guest pauses the machine.
    public var pausesOnPowerOff = false
    /// What a panic of the guest's kernel leads to.
    public var onPanic = PanicAction.shutdown
  }

  /// What a panic of the guest's kernel leads to (`-action panic=`), in QEMU's words.
  public enum PanicAction: String, Sendable, CaseIterable {
    case pause
    case shutdown
    case exitFailure = "exit-failure"
    case none
  }

  /// Stops the CPUs and time; a stopped machine stays as it is.
  public func stopRunning() {
    if state == .running {
      pause(as: .paused)
    } else if state == .ioError || state == .guestPanicked {
      state = .paused
    }
  }

  /// Lets a stopped machine go on.
  /// - Throws: a sentence, if only a reset can help it.
  public func continueRunning() throws(MachineError) {
    guard state != .shutdown, state != .internalError else {
      throw MachineError("Resetting the Virtual Machine is required")
    }
    resume()
  }

  /// Presses the power button: the guest's operating system switches off if it cares.
  public func pressPowerButton() {
    board.power?.pressPowerButton()
    onEvent?(.powerDown)
  }

  /// Ends the machine, as soon as what is under way is done.
  public func quit() { requestShutdown(.host) }

  /// Starts the machine anew, as its reset button does.
  public func pressResetButton() { requestReset(.host) }

  /// Sends every CPU a non-maskable interrupt.
  public func injectNMI() throws(MachineError) {
    try withCPUsStopped { cpus throws(EngineError) in
      for cpu in cpus { try cpu.injectNMI() }
    }
  }

  /// The registers of a CPU.
  public func registers(ofCPU index: Int) throws(MachineError) -> CPUState {
    try withCPUsStopped { cpus throws(EngineError) in
      guard cpus.indices.contains(index) else { throw EngineError("there is no CPU \(index)") }
      return try cpus[index].registers()
    }
  }

  /// Does something with the CPUs while none of them runs.
  func withCPUsStopped<Result>(_ body: ([any VirtualCPU]) throws(EngineError) -> Result) throws(MachineError)
    -> Result
  {
    parkCPUs()
    defer { if state == .running { letCPUsGoOn() } }
    do throws(EngineError) {
      return try body(cpuThreads.map(\.cpu))
    } catch {
      throw MachineError(error)
    }
  }
}
