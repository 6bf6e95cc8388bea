// SPDX-License-Identifier: GPL-2.0-or-later

/// Completes requests within their submission, but not without end: an owner that submits its next request from
/// within a completion would otherwise nest as deep as the guest's list of ranges is long.
struct ImmediateCompletions {
  private static let maximumDepth = 8

  private var depth = 0
  private var deferred: [(request: BlockRequest, result: BlockResult)] = []

  /// Whether some completions are still to be delivered.
  var isEmpty: Bool { deferred.isEmpty }

  /// Begins a completion within a submission.
  /// - Returns: true if the caller must complete the request now and call ``leave()`` afterwards; false if it was
  ///   put off until ``takeDeferred()``, for which the caller must wake the loop.
  mutating func enter(_ request: BlockRequest, _ result: BlockResult) -> Bool {
    if depth < Self.maximumDepth {
      depth += 1
      return true
    }
    deferred.append((request, result))
    return false
  }

  /// Ends what ``enter(_:_:)`` began.
  mutating func leave() { depth -= 1 }

  /// The completions that were put off.
  mutating func takeDeferred() -> [(request: BlockRequest, result: BlockResult)] {
    guard !deferred.isEmpty else { return [] }
    defer { deferred = [] }
    return deferred
  }
}
