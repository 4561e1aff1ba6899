/** What a person can do about each reason for which an order waits. `docs/operating.md` is the longer text. */

/** By the reason that `AttentionRaised` carries. */
export const ADVICE: Readonly<Record<string, string>> = {
  underpaid: "Less than the price arrived, and it is being refunded. Find out how the node settled such an invoice",
  proven_but_unpaid:
    "The customer showed the preimage, and the node says that the invoice was never paid. Look up the payment hash there: its books may be lost, or it is not the node that was paid",
  buy_overdue: "A buy has not been answered. Check that the provider answers; the order goes on by itself once it does",
  buy_search_overdue:
    "The search for a lost buy has not been answered. Check that the provider answers; it goes on by itself",
  loose_activation:
    "A lost buy may have left an activation at the provider. Compare its history at the time of the buy with our orders; cancel only what is surely ours",
  unexpected_number:
    "A number was bought that its order no longer wanted. Cancel it at the provider while that is possible, else book it as loss",
  message_limit: "The number received more messages than are kept. Look for abuse; later messages are not stored",
  node_forgot_refund:
    "The node no longer knows a refund it had in flight: its books are lost. Find out whether it was paid before anything is paid by hand",
  sms_after_end: "An SMS came after the order was over, and was not shown. Nothing to do, unless the customer asks",
  closing_overdue:
    "Giving back the number has not been answered. Check that the provider answers; it goes on by itself",
  cancel_unconfirmed:
    "The provider does not confirm the cancel. Cancel the activation on its site; the order then notices and refunds",
  provider_unreachable: "The provider does not answer about this number. Check network, API key and its status page",
  finish_overdue: "Finishing the number has not been answered. Check that the provider answers; it goes on by itself",
  finish_unconfirmed:
    "The provider never confirmed the end. The customer has the code; look at the activation's charge",
  rental_ended_early:
    "The provider ended a rental early. Ask it for the money back; without any message the sats are owed to the customer",
  address_overdue:
    "A refund address has not been answered for. Nothing is paid meanwhile; it goes on by itself, or with another destination",
  refund_overdue:
    "The node has not answered about a refund. Look up the refund's payment hash there; never pay it by hand while it may be in flight",
  refund_in_doubt:
    "A refund has been in flight for an hour (a hold invoice can take days). Look up its payment hash at the node; never pay it a second time",
  in_doubt:
    "Its books were lost, and nobody knows what became of it since: nothing is bought or paid for it. See doctor find, and say what you find out: doctor paid, bought, served or release",
  refund_after_sale:
    "The node paid a refund that our books do not explain: the order was served, or refunded to another invoice. Find out who paid it and why",
  refund_differs:
    "The node paid a refund of another amount than is owed. Find out what the difference is; nothing was booked",
  refund_search_overdue: "The node has not answered about a refund. Check that it runs; the order goes on by itself",
};

export const OTHERWISE = "Look at its events with doctor find, and at the log lines that name it";

export const QUARANTINE =
  'The order broke repeatedly and was set aside; its customer still reads the last good state. Find the cause in the log ("order crashed" with this id) and report it';

export const adviceFor = (reason: string): string => ADVICE[reason] ?? OTHERWISE;
