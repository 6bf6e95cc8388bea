// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor
import Glibc

/// What executes instructions: the host's CPU, or an engine of ours.
public protocol InstructionExecutor {
  /// Executes each case from its own state, and tells the state afterwards. Both buffers have the same size.
  mutating func run(
    _ cases: UnsafeBufferPointer<native_case>, into outcomes: UnsafeMutableBufferPointer<native_outcome>
  ) throws
}

extension InstructionExecutor {
  /// Executes one case.
  public mutating func run(_ it: native_case) throws -> native_outcome {
    var outcome = native_outcome()
    try withUnsafePointer(to: it) { it in
      try withUnsafeMutablePointer(to: &outcome) { outcome in
        try run(
          UnsafeBufferPointer(start: it, count: 1), into: UnsafeMutableBufferPointer(start: outcome, count: 1)
        )
      }
    }
    return outcome
  }
}

/// The host's CPU, in a child process.
public final class NativeExecutor: InstructionExecutor {
  private let executor: OpaquePointer
  /// What the scratch memory has before each case.
  public let contents: [UInt8]

  /// The child could not be started.
  public struct Failure: Error {
    /// Of the C library.
    public var errorNumber: Int32
  }

  /// Starts the child. `contents` are `NATIVE_DATA_SIZE` bytes.
  public init(contents: [UInt8]) throws {
    precondition(contents.count == Int(NATIVE_DATA_SIZE))
    guard let executor = native_executor_start(contents) else { throw Failure(errorNumber: errno) }
    self.executor = executor
    self.contents = contents
  }

  deinit { native_executor_stop(executor) }

  public func run(
    _ cases: UnsafeBufferPointer<native_case>, into outcomes: UnsafeMutableBufferPointer<native_outcome>
  ) throws {
    precondition(cases.count == outcomes.count)
    guard native_executor_run(executor, cases.baseAddress, outcomes.baseAddress, cases.count) == 0 else {
      throw Failure(errorNumber: errno)
    }
  }

  /// How often the child died and was replaced.
  public var restarts: Int { native_executor_restarts(executor) }
}
