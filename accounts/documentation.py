"""The operations of accounts in the OpenAPI document."""

from config.api.documentation import Operation, Resource

ACCOUNT = Resource(
    "Account",
    {
        "register": Operation(
            "register",
            "Register",
            "Creates the account of a patient or doctor. A doctor also needs "
            "`medical_license_number` and `specialization`. The response is the profile; sign in "
            "to get tokens. A link in an e-mail confirms the address.",
        ),
        "login": Operation(
            "login",
            "Sign in",
            "Returns an access token, a refresh token and the profile. `username` may be the "
            "e-mail address. Every failure has the same response.",
        ),
        "refresh": Operation(
            "refreshTokens",
            "Refresh the tokens",
            "Returns new tokens; the old refresh token is used up. If another request has used it "
            "in the last ten seconds, the response is 409 `refresh_superseded` and the session "
            "goes on with the tokens of that request. Later, the session ends.",
        ),
        "logout": Operation(
            "logout",
            "Sign out",
            "Ends the session of the refresh token, with its access tokens.",
        ),
        "profile": Operation(
            "getMyProfile",
            "Get the own profile",
            "The fields depend on `user_type`. Send the `ETag` of the last response as "
            "`If-None-Match` to get 304 while nothing has changed.",
        ),
        "update_profile": Operation(
            "replaceMyProfile",
            "Replace the own profile",
            "Requires the fields that registration requires, without the password. An omitted "
            "optional field keeps its value. A new e-mail address needs `current_password`, and "
            "takes effect when the link in the e-mail to it is followed.",
        ),
        "partial_update_profile": Operation(
            "updateMyProfile",
            "Change the own profile",
            "Changes the fields that are sent. A new e-mail address needs `current_password`, and "
            "takes effect when the link in the e-mail to it is followed. A picture is sent as "
            "`multipart/form-data`; null removes the picture.",
        ),
        "change_password": Operation(
            "changePassword",
            "Change the password",
            "Ends all other sessions and returns new tokens for this one.",
        ),
        "reset_password": Operation(
            "requestPasswordReset",
            "Request a new password",
            "Sends an e-mail with a link if the address has an account. The response is the same "
            "for every address.",
        ),
        "confirm_password_reset": Operation(
            "confirmPasswordReset",
            "Set a new password",
            "Takes `uid` and `token` from the link in the e-mail. All sessions end.",
        ),
        "verify_email": Operation(
            "verifyEmail",
            "Confirm an e-mail address",
            "Takes the token from the link in the e-mail. A new address takes effect now.",
        ),
        "resend_email": Operation(
            "resendVerificationEmail",
            "Send the confirmation again",
            "Sends the link again to the address of the caller that is not confirmed yet.",
        ),
    },
)

SESSIONS = Resource(
    "Sessions",
    {
        "list": Operation(
            "listSessions",
            "List the own sessions",
            "Lists where the caller is signed in with tokens, the latest sign-in first.",
        ),
        "destroy": Operation(
            "endSession", "End a session", "Signs the caller out on one device, at once."
        ),
        "end_all": Operation(
            "endAllSessions",
            "End all sessions",
            "Signs the caller out everywhere, on this device too.",
        ),
    },
)
