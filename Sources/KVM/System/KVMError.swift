// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Glibc

extension EngineError {
  /// A request that KVM refused, with the reason in the C library's words.
  init(refused what: String, code: Int32 = errno) {
    self.init("KVM refused to \(what): \(String(cString: strerror(code)))")
  }
}

/// Makes a request of a KVM descriptor; `what` completes the sentence "KVM refused to …".
@discardableResult
func request(
  _ descriptor: Int32, _ number: UInt, _ argument: UnsafeMutableRawPointer?, _ what: @autoclosure () -> String
)
  throws(EngineError) -> Int32
{
  let result = if let argument { ioctl(descriptor, number, argument) } else { ioctl(descriptor, number, 0) }
  if result < 0 { throw EngineError(refused: what()) }
  return result
}
