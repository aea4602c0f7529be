"""How a call with many elements is answered.

Owns: Xero's two ways. Summarised (summarizeErrors absent or true): one bad element refuses the
whole call with HTTP 400 and nothing is stored. Not summarised: HTTP 200 and a verdict for each
element; the good ones are stored. Rules are the caller's: `apply` stores one element and returns
what Xero shows of it, or raises errors.Invalid.
"""

from errors import ZERO_GUID, Invalid, Refusal, messages

IDS = {
    "Invoices": "InvoiceID",
    "CreditNotes": "CreditNoteID",
    "Contacts": "ContactID",
    "Payments": "PaymentID",
    "Allocations": "AllocationID",
    "Items": "ItemID",
}
_FLAGS = {
    "Invoices": "HasErrors",
    "CreditNotes": "HasErrors",
    "Contacts": "HasValidationErrors",
    "Payments": "HasValidationErrors",
}


def run(org, wrapper, elements, apply, summarise, fault=None):
    """The answer's elements, in the order of the request. `fault(index, element)` may name a
    message with which an element is refused on a test's command. Raises Refusal(10) when
    summarised."""
    org.begin()
    answers = []
    refused = []
    for index, element in enumerate(elements):
        mark = org.mark()
        try:
            told = fault(index, element) if fault else None
            if told:
                raise Invalid(told)
            answer = apply(element)
        except Invalid as invalid:
            org.roll_back(mark)
            answer = _refused(wrapper, element, invalid)
            refused.append(answer)
        except Exception:
            org.roll_back()
            raise
        else:
            if not summarise:
                answer["StatusAttributeString"] = "WARNING" if answer.get("Warnings") else "OK"
            if wrapper in _FLAGS:
                answer[_FLAGS[wrapper]] = False
        answers.append(answer)
    if refused and summarise:
        org.roll_back()
        raise Refusal(10, elements=refused)
    for answer in refused:
        answer["StatusAttributeString"] = "ERROR"
    return answers


def _refused(wrapper, element, invalid):
    answer = {
        IDS[wrapper]: ZERO_GUID,
        **element,
        **invalid.echo,
        "ValidationErrors": messages(invalid.messages),
    }
    if wrapper in _FLAGS:
        answer[_FLAGS[wrapper]] = True
    return answer
